//! The words of the command line, read back.

use clap::CommandFactory;

use super::*;

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn timeouts_are_seconds_or_spans() {
    assert_eq!(timeout("90"), Ok(Span::secs(90)));
    assert_eq!(timeout("2h"), Ok(Span::mins(120)));
    assert!(timeout("soon").is_err());
}

#[test]
fn a_misspelt_verb_names_the_nearest() {
    let error = Cli::try_parse_from(["holdpoint", "release", "promte", "R-1"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("'promote'"), "{error}");
}

#[test]
fn every_command_of_the_contract_reads() {
    for line in [
        "release submit p.yaml --dry-run",
        "release list --all --json",
        "release show R-1",
        "release pause R-1 --why because",
        "release retry R-1 --instance i-1",
        "release rollback R-1 --why because --as ada",
        "release handover R-1 --note n",
        "release checks R-1",
        "release evidence R-1 c --statement go",
        "release evidence R-1 c --digest a --digest b",
        "release waive R-1 readiness.c --reason because",
        "release wait R-1 --until rolled-back --timeout 10",
        "vote R-1 object --comment no --digest 12345678",
        "vote R-1 request-changes --comment why",
        "vote R-1 withdraw",
        "release update R-1 p.yaml --dry-run",
        "release overrule R-1 --objector bo --why because",
        "release withdraw R-1",
        "authority grant bo --right control --environment prod --for 4h --why because",
        "authority revoke G-1",
        "authority list --all",
        "pir list",
        "pir close R-1 --findings found",
        "policy show --json",
        "policy explain R-1",
        "policy test cases.toml --policy p.toml",
        "policy diff p.toml",
        "ledger show --from 3 --release R-1 --follow",
        "ledger backup x.db",
        "release why R-1",
        "release when R-1 --json",
        "calendar show --days 60 --environment prod",
        "calendar lint",
        "calendar conflicts",
        "calendar export",
        "calendar import x.ics --kind window --owner ops --zone UTC",
        "calendar exempt f --release R-1 --reason r --ticket t --until 4h",
        "calendar approve X-1",
        "calendar revoke X-1 --why w",
        "calendar lockdown --everything --reason r",
        "calendar lift L-1 --reason r",
        "demo --headless --room d --seed 7",
        "--room d check",
    ] {
        let words = ["holdpoint"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{line}: {e}"));
    }
}
