//! The card of a release for those who vote: what is asked, what could go wrong, who else has to
//! agree.

use crate::domain::approval::tally;
use crate::domain::authority;
use crate::domain::hold::HoldKind;
use crate::domain::ladder::{Station, rungs};
use crate::domain::plan::Kind;
use crate::domain::release::Release;
use crate::domain::{Choice, TargetName};

use super::super::action::Action;
use super::super::desk::Desk;
use super::super::dialog::effect::window;
use super::super::glyph::Glyph;
use super::super::offer;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::World;
use super::releases::sign;

/// The column where the facts of a card begin.
const FACTS: u16 = 10;

fn fact(label: &'static str, role: Role, text: &str, cols: u16) -> Vec<Line> {
    Line::wrapped(role, text, 0, cols.saturating_sub(FACTS + 2))
        .into_iter()
        .enumerate()
        .map(|(n, line)| {
            Line::new()
                .gap(1)
                .left(Role::Dim, if n == 0 { label } else { "" }, FACTS)
                .text(role, line.words())
        })
        .collect()
}

/// The whole card, `cols` wide. Where it does not fit into so many lines, what a vote is about and
/// whether one may vote come first.
pub(super) fn card(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    cols: u16,
    rows: usize,
) -> Vec<Line> {
    let mut lines = what(desk, world, release, cols);
    lines.extend(details(desk, world, release, cols));
    lines.extend(votes(desk, world, release, cols));
    if lines.len() > rows {
        lines = what(desk, world, release, cols);
        lines.extend(votes(desk, world, release, cols));
        lines.extend(details(desk, world, release, cols));
    }
    lines.push(Line::new());
    lines.extend(about(world, release, cols));
    lines.push(Line::new());
    lines.extend(way(desk, world, release, cols, 14));
    lines
}

/// What changes, and where.
pub(super) fn what(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let plan = &release.plan;
    let arrow = desk.theme().glyph(Glyph::Arrow);
    let mut lines = Vec::new();
    let mut head = Line::new().gap(1).text(
        Role::Strong,
        format!(
            "{} {} {arrow} {}",
            release.id,
            release.subject(),
            plan.environment
        ),
    );
    if plan.kind != Kind::Normal {
        let role = if plan.kind == Kind::Emergency {
            Role::StatusBad
        } else {
            Role::Dim
        };
        head = head.gap(3).text(role, plan.kind.word());
    }
    lines.push(head);
    lines.extend(fact("what", Role::Strong, &plan.title, cols));
    for change in &plan.services {
        let was = running(world, release, change.service.as_str());
        let service = world.state.charter.services.get(&change.service);
        let about =
            service.map_or_else(String::new, |s| format!("   tier {}, {}", s.tier, s.owner));
        lines.push(
            Line::new()
                .gap(1 + FACTS)
                .text(Role::Text, format!("{} ", change.service))
                .text(Role::Old, was)
                .text(Role::Dim, format!(" {arrow} "))
                .text(Role::New, change.version.to_string())
                .text(Role::Dim, about),
        );
    }
    lines
}

/// What changes line by line, when, and how it goes back.
pub(super) fn details(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let plan = &release.plan;
    let now = world.now;
    let mut lines = Vec::new();
    for (n, change) in plan.changes.iter().enumerate() {
        let label = if n == 0 { "changes" } else { "" };
        lines.extend(fact(label, Role::Text, change, cols));
    }
    match window(release) {
        Some((opens, closes)) => {
            let mut text = say::window(opens, closes, now, desk.zone);
            if opens > now {
                text.push_str(&format!(", opens in {}", opens.since(now)));
            }
            lines.extend(fact("when", Role::Text, &text, cols));
        }
        None => lines.extend(fact("when", Role::Text, "at any time once approved", cols)),
    }
    let back = plan.rollback.note.as_deref();
    match back {
        Some(note) => lines.extend(fact("back", Role::Text, note, cols)),
        None => lines.extend(fact(
            "back",
            Role::StatusUnknown,
            "the plan says nothing of going back",
            cols,
        )),
    }
    lines
}

/// Where it is written down, who asks for it, and who depends on it.
pub(super) fn about(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let plan = &release.plan;
    let now = world.now;
    let mut lines = impact(world, release, cols);
    if let Some(runbook) = &plan.runbook {
        lines.extend(fact("runbook", Role::Text, runbook, cols));
    }
    if !plan.tickets.is_empty() {
        let tickets: Vec<&str> = plan.tickets.iter().map(|t| &**t).collect();
        lines.extend(fact("tickets", Role::Text, &tickets.join(", "), cols));
    }
    let text = format!(
        "submitted by {} {} ago, plan {}",
        world.person(&release.submitter),
        say::age(now.since(release.submitted)),
        crate::domain::refusal::short(&release.digest)
    );
    lines.extend(fact("by", Role::Dim, &text, cols));
    lines
}

/// What runs of a service now, as far as it is known.
fn running(world: World<'_>, release: &Release, service: &str) -> String {
    let mut versions: Vec<&str> = release
        .targets()
        .into_iter()
        .filter(|t: &&TargetName| {
            world
                .state
                .charter
                .targets
                .get(*t)
                .is_some_and(|c| c.service.as_str() == service)
        })
        .flat_map(|target| {
            let was = release.was.iter().filter(move |w| w.target == *target);
            let was: Vec<&str> = was.map(|w| &*w.artifact.version).collect();
            if was.is_empty() {
                world
                    .state
                    .targets
                    .get(target)
                    .into_iter()
                    .flat_map(|seen| seen.values())
                    .filter_map(|s| s.sight.artifact.as_ref().map(|a| &*a.version))
                    .collect()
            } else {
                was
            }
        })
        .collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.is_empty() {
        "not known yet".to_owned()
    } else {
        versions.join(", ")
    }
}

/// Which services need those that change.
fn impact(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let changed: Vec<_> = release.plan.services.iter().map(|s| &s.service).collect();
    let dependents: Vec<&str> = world
        .state
        .charter
        .services
        .iter()
        .filter(|(name, s)| {
            !changed.contains(name) && s.depends_on.iter().any(|d| changed.contains(&d))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if dependents.is_empty() {
        return Vec::new();
    }
    let text = format!("{} depend on it", dependents.join(", "));
    fact("impact", Role::Text, &text, cols)
}

/// The votes: who has to give how many, who gave them, what is missing, and whether you may.
pub(super) fn votes(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let hold = release.approval();
    let Some(HoldKind::Approval(terms)) = hold.map(|h| &h.kind) else {
        return fact("votes", Role::Dim, "this release needs no approval", cols);
    };
    let tally = tally(release, terms, world.now);
    for (n, (group, need, have)) in tally.groups.iter().enumerate() {
        let full = have.len() >= *need as usize;
        let (role, glyph) = if full {
            (Role::StatusGood, Glyph::Done)
        } else {
            (Role::StatusPerson, Glyph::Waits)
        };
        let mut line = Line::new()
            .gap(1)
            .left(Role::Dim, if n == 0 { "votes" } else { "" }, FACTS)
            .sign(role, glyph)
            .gap(1)
            .text(role, format!("{group} {}/{need}", have.len()));
        let names: Vec<String> = have.iter().map(|p| world.person(p)).collect();
        if full {
            line = line.gap(2).text(Role::Text, names.join(", "));
        } else {
            let members: Vec<String> = world
                .state
                .charter
                .people
                .iter()
                .filter(|(name, _)| {
                    authority::voting(world.state, name, release, terms, world.now).contains(&group)
                        && !release.votes.contains_key(*name)
                })
                .map(|(name, _)| world.person(name))
                .collect();
            let given = if names.is_empty() {
                String::new()
            } else {
                format!("{}; ", names.join(", "))
            };
            let words = if members.is_empty() {
                format!("{given}nobody is left who may vote")
            } else {
                format!("{given}may still vote: {}", members.join(", "))
            };
            line = line.gap(2).text(Role::Text, words);
        }
        lines.push(line);
    }
    if terms.distinct_people && terms.needs.len() > 1 {
        lines.extend(fact(
            "",
            Role::Dim,
            "each vote must come from another person",
            cols,
        ));
    }
    lines.extend(said(desk, world, release, cols));
    if let Some((_, until)) = hold.and_then(|h| h.open()) {
        let text = format!(
            "{}, in {}",
            say::when(until, world.now, desk.zone),
            until.since(world.now)
        );
        lines.extend(fact("expires", Role::Text, &text, cols));
    }
    match offer::refusal(world, desk.asker(), release.id, Action::Approve) {
        None => {
            let voted = desk.who().and_then(|who| release.votes.get(who));
            let text = match voted {
                Some(vote) => format!("you may change your vote to {}", vote.choice.word()),
                None => "you may vote".to_owned(),
            };
            lines.extend(fact("you", Role::StatusPerson, &text, cols));
        }
        Some(notice) => lines.extend(fact("you", Role::Dim, &notice.headline, cols)),
    }
    if let Some(comment) = desk.comments.get(&release.id) {
        let text = format!("your comment: {comment}");
        lines.extend(fact("", Role::Text, &text, cols));
    }
    lines
}

/// What was said by those who voted.
fn said(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for (who, vote) in &release.votes {
        let (role, glyph) = match vote.choice {
            Choice::Approve => (Role::StatusGood, Glyph::Done),
            Choice::Reject | Choice::Object | Choice::RequestChanges => {
                (Role::StatusBad, Glyph::Failed)
            }
            Choice::Abstain => (Role::Dim, Glyph::Dot),
        };
        // an approval without words is told by the count
        if vote.choice == Choice::Approve && vote.comment.is_empty() {
            continue;
        }
        let mut text = format!("{} votes to {}", world.person(who), vote.choice.word());
        if !vote.comment.is_empty() {
            text.push_str(&format!(": {}", vote.comment));
        }
        let at = say::when(vote.at, world.now, desk.zone);
        let room = cols.saturating_sub(FACTS + 12);
        let mut wrapped = Line::wrapped(role, &text, 0, room).into_iter();
        let first = wrapped.next().map(|l| l.words()).unwrap_or_default();
        lines.push(
            Line::new()
                .gap(1 + FACTS)
                .sign(role, glyph)
                .gap(1)
                .text(role, first)
                .end(Role::Dim, format!("{at} ")),
        );
        lines.extend(wrapped.map(|l| Line::new().gap(3 + FACTS).text(role, l.words())));
    }
    lines
}

/// The ladder of a plan: what it will pass, and how much moves when; at most `most` lines.
pub(super) fn way(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    cols: u16,
    most: usize,
) -> Vec<Line> {
    let now = world.now;
    let all = rungs(release);
    let mut lines = Vec::new();
    for (n, rung) in all.iter().take(most).enumerate() {
        let (role, glyph) = sign(rung.mark);
        let lead = Line::new()
            .gap(1)
            .left(Role::Dim, if n == 0 { "way" } else { "" }, FACTS);
        let line = match rung.station {
            Station::Hold(hold) => lead
                .sign(role, glyph)
                .gap(1)
                .left(Role::Text, say::hold_name(hold), 11)
                .text(Role::Dim, say::asks(hold, now, desk.zone)),
            Station::Batch(at, batch) => {
                let moves: Vec<String> = batch
                    .moves
                    .iter()
                    .map(|m| format!("{} of {}", say::count(m.steps.len(), "instance"), m.target))
                    .collect();
                lead.sign(role, glyph)
                    .gap(1)
                    .left(Role::Strong, format!("{} {}", at + 1, batch.name), 11)
                    .text(Role::Text, moves.join(", "))
            }
        };
        lines.push(line);
    }
    if all.len() > most {
        let text = format!("and {}", say::count(all.len() - most, "more station"));
        lines.extend(fact("", Role::Dim, &text, cols));
    }
    lines
}
