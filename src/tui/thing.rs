//! What some actions are about besides a release: a hold that is waived, a check that evidence is handed in
//! for, somebody whose objection is overruled. Which there are now, and the command that it comes to.

use std::sync::Arc;

use crate::domain::approval::{self, tally};
use crate::domain::hold::HoldKind;
use crate::domain::readiness::{self, Clearing, Evidence, Rule, Standing, checks, standing};
use crate::domain::release::{Phase, Release};
use crate::domain::text::printable;
use crate::domain::{Ask, CheckName, Notice, PersonName, waiting, waiver};

use super::action::Action;
use super::world::World;

/// The actions that are about one thing of one release.
pub const ACTIONS: [Action; 3] = [Action::HandIn, Action::Waive, Action::Overrule];

/// The most characters of an address or a file's name that are kept.
const NAME: usize = 300;
/// The most characters of somebody's word that are kept.
const WORDS: usize = 2000;

/// Something that an action can be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Its name in commands: `readiness.scan-clean`, `kim`.
    pub name: String,
    /// How it stands, in a few words.
    pub words: String,
}

/// What there is of a release that an action can be about now, what matters most first.
pub fn things(world: World<'_>, release: &Release, action: Action) -> Vec<Thing> {
    match action {
        Action::Waive => holds(world, release),
        Action::HandIn => checklist(world, release),
        Action::Overrule => objections(world, release),
        _ => Vec::new(),
    }
}

/// Why there is nothing that an action could be about.
pub fn nothing(action: Action, release: &Release) -> Notice {
    let id = release.id;
    match action {
        Action::Waive => Notice::warning("nothing-to-waive", format!("nothing of {id} can be waived now"))
            .next("votes, windows, freezes and what a person presses have ways of their own: `w` says which"),
        Action::HandIn if release.phase != Phase::Waiting => {
            Notice::warning("has-begun", format!("{id} has begun: its checklist decides nothing any more"))
        }
        Action::HandIn => Notice::warning("no-checks", format!("no check of {id} asks for evidence"))
            .next("`e` shows its checklist, if it has one"),
        _ => Notice::warning("nothing-to-overrule", format!("nobody objects to {id}"))
            .next("a rejection cannot be overruled: the release is closed by it"),
    }
}

/// The command that an action about a thing stands for, with the words that go with it.
pub fn ask(action: Action, release: &Release, about: &str, text: &str) -> Option<Ask> {
    let id = release.id;
    Some(match action {
        Action::Waive => Ask::Waive {
            release: id,
            hold: about.into(),
            reason: text.into(),
        },
        Action::HandIn => Ask::Readiness(readiness::Ask::Evidence {
            release: id,
            check: CheckName::from(about),
            evidence: evidence(text),
        }),
        Action::Overrule => Ask::Approval(approval::Ask::Overrule {
            release: id,
            whose: PersonName::from(about),
            why: text.into(),
        }),
        _ => return None,
    })
}

/// What has to be written about a thing, for somebody who does not know.
pub fn wanted(release: &Release, action: Action, about: &str) -> String {
    let rules = checks(release);
    let rule = rules.iter().find(|rule| rule.check.as_str() == about);
    match (action, rule) {
        (Action::HandIn, Some(rule)) => {
            let Clearing::Evidence { accepts, .. } = &rule.clearing else {
                return String::new();
            };
            let forms = accepts.iter().map(|kind| match kind {
                readiness::Accepts::Statement => "your word",
                readiness::Accepts::Digest => "sha256:… of what was tested, one for each artifact",
                readiness::Accepts::File => "a file's name and its sha256:…",
                readiness::Accepts::Url => "an address and the sha256:… of what stands there",
            });
            forms.collect::<Vec<_>>().join("; or ")
        }
        (Action::HandIn, None) => String::new(),
        _ => "why it is right to go on; it stands in the ledger with your name".to_owned(),
    }
}

/// Text as evidence: digests alone, an address or a name with its digest, else somebody's word.
fn evidence(text: &str) -> Evidence {
    let words: Vec<&str> = text.split_whitespace().collect();
    let digest = |word: &str| word.to_ascii_lowercase().starts_with("sha256:");
    let lower = |word: &str| -> Arc<str> { printable(&word.to_ascii_lowercase(), 80).into() };
    if !words.is_empty() && words.iter().all(|word| digest(word)) {
        return Evidence::Digests(words.into_iter().map(lower).collect());
    }
    match words.as_slice() {
        [name, hash] if digest(hash) => {
            let (name, sha256): (Arc<str>, _) = (printable(name, NAME).into(), lower(hash));
            match name.starts_with("https://") || name.starts_with("http://") {
                true => Evidence::Url { url: name, sha256 },
                false => Evidence::File { name, sha256 },
            }
        }
        _ => Evidence::Statement(printable(text.trim(), WORDS).into()),
    }
}

fn holds(world: World<'_>, release: &Release) -> Vec<Thing> {
    let mut things: Vec<Thing> = Vec::new();
    let here = release.hold();
    let list = here.filter(|hold| matches!(hold.kind, HoldKind::Readiness { .. }));
    for rule in checks(release).iter().filter(|_| list.is_some()) {
        let how = standing(release, rule, world.now);
        if !how.clear() {
            things.push(Thing {
                name: readiness::hold_of(&rule.check).to_string(),
                words: told(&how),
            });
        }
    }
    let ahead = release.holds().filter(|hold| {
        let waived = release.waived.contains_key(&hold.id);
        !hold.cleared() && !waived && waiver::waivable(&hold.kind).is_ok()
    });
    // where it stands comes before what is still ahead
    let (present, later): (Vec<_>, Vec<_>) = ahead.partition(|hold| hold.open().is_some());
    for hold in present.into_iter().chain(later) {
        let words = match hold.open() {
            Some(_) => waiting::at(world.state, release, hold, world.now).what,
            None => format!("{}, still ahead", hold.kind.word()),
        };
        things.push(Thing {
            name: hold.id.to_string(),
            words,
        });
    }
    things
}

fn checklist(world: World<'_>, release: &Release) -> Vec<Thing> {
    if release.phase != Phase::Waiting {
        return Vec::new();
    }
    let handed = |rule: &&Rule| matches!(rule.clearing, Clearing::Evidence { .. });
    let rules = checks(release);
    let (clear, open): (Vec<_>, Vec<_>) = rules
        .iter()
        .filter(handed)
        .map(|rule| (rule, standing(release, rule, world.now)))
        .partition(|(_, how)| how.clear());
    let all = open.into_iter().chain(clear);
    all.map(|(rule, how)| Thing {
        name: rule.check.to_string(),
        words: told(&how),
    })
    .collect()
}

/// `missing: statement by operations`.
fn told(how: &Standing) -> String {
    format!("{}: {}", how.word(), how.words())
}

fn objections(world: World<'_>, release: &Release) -> Vec<Thing> {
    let Some(HoldKind::Approval(terms)) = release.approval().map(|hold| &hold.kind) else {
        return Vec::new();
    };
    let tally = tally(release, terms, world.now);
    let objects = tally.objections.iter().map(|who| (who, "objects"));
    let asks = tally
        .wants_changes
        .iter()
        .map(|who| (who, "asks for changes"));
    objects
        .chain(asks)
        .map(|(who, does)| {
            let said = release.votes.get(who).map_or("", |vote| &*vote.comment);
            let words = match said.is_empty() {
                true => does.to_owned(),
                false => format!("{does}: {said}"),
            };
            Thing {
                name: who.to_string(),
                words,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_in_is_read_by_its_form() {
        let hash = format!("sha256:{}", "a".repeat(64));
        assert!(matches!(
            evidence("go: staff is there"),
            Evidence::Statement(_)
        ));
        assert!(matches!(evidence(&hash), Evidence::Digests(all) if all.len() == 1));
        let two = format!("{hash}  SHA256:{}", "B".repeat(64));
        let Evidence::Digests(all) = evidence(&two) else {
            panic!("two digests");
        };
        assert_eq!(&*all[1], format!("sha256:{}", "b".repeat(64)));
        let page = format!("https://ci.example.com/7 {hash}");
        assert!(matches!(evidence(&page), Evidence::Url { .. }));
        let file = format!("report.html {hash}");
        assert!(matches!(evidence(&file), Evidence::File { name, .. } if &*name == "report.html"));
        // a digest within a sentence is part of what somebody says
        let said = format!("I tested {hash} by hand");
        assert!(matches!(evidence(&said), Evidence::Statement(_)));
        assert!(matches!(evidence("  "), Evidence::Statement(words) if words.is_empty()));
    }
}
