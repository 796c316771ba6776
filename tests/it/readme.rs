//! What the documents promise is what there is: commands, the plan, keys, a mistake as it is shown.

use clap::Parser;
use holdpoint::cli::args::Cli;
use holdpoint::config::plan::PlanFile;
use regex::Regex;

fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of a language in a document.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    let blocks = parts.map(|part| part.split("```").next().unwrap_or_default().to_owned());
    blocks.collect()
}

/// A line of a shell, as far as it is ours: up to a pipe, a file, a comment.
fn words_of(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let line = line.strip_prefix("holdpoint")?;
    if !line.is_empty() && !line.starts_with(' ') {
        return None;
    }
    // what a shell would fill in
    let line = Regex::new(r"\$\([^)]*\)").unwrap().replace_all(line, "it");
    let words = shlex::split(&line).unwrap_or_else(|| panic!("quotes: {line}"));
    let ends = |word: &String| matches!(word.as_str(), "|" | ">" | "<" | "&");
    let ours = words.into_iter().take_while(|word| !ends(word));
    Some(
        std::iter::once("holdpoint".to_owned())
            .chain(ours)
            .collect(),
    )
}

#[track_caller]
fn all_read<'a>(from: &str, lines: impl Iterator<Item = &'a str>) {
    let mut count = 0;
    for line in lines {
        let Some(words) = words_of(line) else {
            continue;
        };
        count += 1;
        if let Err(error) = Cli::try_parse_from(&words) {
            let code = error.exit_code();
            assert_eq!(code, 0, "{from} shows `{}`:\n{error}", line.trim());
        }
    }
    assert!(count > 5, "{from}: only {count} commands were found");
}

#[test]
fn every_command_in_the_readme_can_be_typed() {
    let text = read("README.md");
    let shell = blocks(&text, "sh").concat();
    all_read("README.md", shell.lines());
}

#[test]
fn every_example_of_the_help_can_be_typed() {
    let text = read("src/cli/args.rs") + &read("src/cli/judge_args.rs");
    let examples = text.lines().filter(|line| line.starts_with("  holdpoint"));
    // what an example is for stands behind it, some blanks away
    let commands = examples.map(|line| {
        let line = line.trim().trim_end_matches("\")]").trim_end_matches("\";");
        line.split("   ").next().unwrap_or(line)
    });
    let unescaped: Vec<String> = commands.map(|line| line.replace("\\\"", "\"")).collect();
    all_read("src/cli/args.rs", unescaped.iter().map(String::as_str));
}

#[test]
fn the_plan_in_the_readme_is_one_and_its_mistake_is_shown_like_that() {
    let text = read("README.md");
    let plans = blocks(&text, "yaml");
    assert_eq!(plans.len(), 1);
    if let Err(mistakes) = PlanFile::read("plan.yaml", plans[0].as_bytes()) {
        panic!("{mistakes:?}");
    }
    let wrong = plans[0].replace("batches:", "batchs:");
    let mistakes = PlanFile::read("plan.yaml", wrong.as_bytes()).unwrap_err();
    let shown = mistakes.show(&mistakes.notices[0], false, 100);
    let promised = blocks(&text, "text");
    let promised = promised
        .iter()
        .find(|block| block.starts_with("error:"))
        .unwrap();
    assert!(
        shown.starts_with(promised.trim_end()),
        "{shown}\nis not\n{promised}"
    );
}

#[test]
fn the_keys_in_the_readme_are_the_built_in_ones() {
    let keymap: toml::Table = read("keymaps/default.toml").parse().unwrap();
    let bound = |key: &str, action: &str| {
        let tables = keymap.values().filter_map(toml::Value::as_table);
        let mut actions = tables.filter_map(|table| table.get(key)?.as_str());
        actions.any(|a| a == action)
    };
    let text = read("README.md");
    let mut count = 0;
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ', '`']))
            .collect();
        // the table of holds has two columns, that of keys three
        let [key, action, _] = cells[..] else {
            continue;
        };
        count += 1;
        assert!(bound(key, action), "`{key}` does not run `{action}`");
    }
    assert!(count > 10, "only {count} keys were found");
}
