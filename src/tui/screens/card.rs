//! The card of a release for those who vote: what is asked, what could go wrong, who else has to
//! agree.

use crate::domain::approval::{Terms, helps, tally};
use crate::domain::authority;
use crate::domain::diff::Change;
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::ladder::{Station, rungs};
use crate::domain::plan::Kind;
use crate::domain::press;
use crate::domain::release::Release;
use crate::domain::{Choice, GroupName, PersonName, TargetName};

use super::super::action::Action;
use super::super::desk::Desk;
use super::super::glyph::Glyph;
use super::super::offer;
use super::super::rich::Line;
use super::super::say;
use super::super::theme::Role;
use super::super::world::World;
use super::grounds;
use super::releases::sign;

/// The column where the facts of a card begin.
const FACTS: u16 = 10;
/// Cells that the names of voters need to stand beside the count of their group.
const NAMES: u16 = 24;

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

/// The whole card, `cols` wide, in the order of what a vote needs. Where that does not fit into so
/// many lines, what is asked, how risky it is, and whether one may vote come first, in short.
pub(super) fn card(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    cols: u16,
    rows: usize,
) -> Vec<Line> {
    let mut lines = what(desk, world, release, cols);
    lines.extend(changed(desk, world, release, cols, 4));
    lines.extend(risk(world, release, cols, true));
    lines.extend(weighed(desk, world, release, cols));
    lines.extend(votes(desk, world, release, cols));
    if lines.len() > rows {
        lines = what(desk, world, release, cols);
        lines.extend(changed(desk, world, release, cols, 2));
        lines.extend(risk(world, release, cols, false));
        lines.extend(votes(desk, world, release, cols));
        lines.extend(ready(desk, world, release, cols));
        lines.extend(when(desk, world, release, cols));
        lines.extend(impact(world, release, cols));
        lines.extend(back(release, cols));
        lines.extend(judge(world, release, cols));
    }
    lines.extend(commits(release, cols));
    lines.extend(about(world, release, cols));
    lines.push(Line::new());
    lines.extend(way(desk, world, release, cols, 14));
    lines
}

/// What a vote weighs besides the change and its risk: who is hit, what was proven, how it goes
/// back, and when it goes.
pub(super) fn weighed(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = impact(world, release, cols);
    lines.extend(ready(desk, world, release, cols));
    lines.extend(back(release, cols));
    lines.extend(when(desk, world, release, cols));
    lines.extend(judge(world, release, cols));
    lines
}

/// What the judge says of it, once it has begun.
fn judge(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let room = cols.saturating_sub(FACTS + 2);
    labelled("judge", grounds::judge(world, release, "", room))
}

/// Puts a label before the first of some lines, and all of them where facts stand.
fn labelled(label: &'static str, lines: Vec<Line>) -> Vec<Line> {
    let beside = |(n, line): (usize, Line)| {
        let label = if n == 0 { label } else { "" };
        let label = Line::new().gap(1).left(Role::Dim, label, FACTS);
        label.beside(line, 1 + FACTS, 1 + FACTS)
    };
    lines.into_iter().enumerate().map(beside).collect()
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
    if let Some(emergency) = &plan.emergency {
        let text = format!(
            "{}: {}; what is not closed {} after it began goes back by itself",
            emergency.incident, emergency.reason, emergency.lasts
        );
        lines.extend(fact("urgent", Role::StatusBad, &text, cols));
    }
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

/// In what the plan was changed since it was submitted, field by field, the newest change first;
/// at most so many fields of each, a line for each field, or all of every field.
pub(super) fn changed(
    desk: &Desk,
    world: World<'_>,
    release: &Release,
    cols: u16,
    most: usize,
) -> Vec<Line> {
    let arrow = desk.theme().glyph(Glyph::Arrow);
    let mut lines = Vec::new();
    for change in release.changed.iter().rev() {
        let votes: Vec<String> = change.voided.iter().map(|who| world.person(who)).collect();
        let votes = if votes.is_empty() {
            String::new()
        } else {
            format!("; void: the votes of {}", votes.join(", "))
        };
        let text = format!(
            "{} by {} {}{votes}",
            say::count(change.changes.len(), "field"),
            world.person(&change.by),
            say::when(change.at, world.now, desk.zone)
        );
        let label = if lines.is_empty() { "changed" } else { "" };
        lines.extend(fact(label, Role::StatusPerson, &text, cols));
        let mut fields: Vec<&Change> = change.changes.iter().collect();
        if most < fields.len() {
            // of many those that are read at a glance
            fields.sort_by_key(|field| field.words().len());
        }
        for field in fields.into_iter().take(most) {
            let lead = Line::new()
                .gap(1 + FACTS)
                .text(Role::Strong, format!("{}: ", field.path));
            let line = match (&field.from, &field.to) {
                (Some(from), Some(to)) => lead
                    .text(Role::Old, from.to_string())
                    .text(Role::Dim, format!(" {arrow} "))
                    .text(Role::New, to.to_string()),
                (None, Some(to)) => lead
                    .text(Role::Dim, "added ")
                    .text(Role::New, to.to_string()),
                (from, None) => lead
                    .text(Role::Dim, "removed ")
                    .text(Role::Old, from.as_deref().unwrap_or_default().to_owned()),
            };
            if most < usize::MAX || line.width() <= usize::from(cols) {
                lines.push(line);
            } else {
                // where all is read, nothing of what is different may be cut off
                let words = field.words();
                lines.extend(Line::wrapped(Role::Text, &words, 1 + FACTS, cols));
            }
        }
        if change.changes.len() > most {
            let more = say::count(change.changes.len() - most, "more field");
            lines.extend(fact("", Role::Dim, &format!("and {more}"), cols));
        }
    }
    lines
}

/// How risky it is, by which rule it is asked for, and why: every factor, or their names in short.
pub(super) fn risk(world: World<'_>, release: &Release, cols: u16, full: bool) -> Vec<Line> {
    let Some(ruling) = &release.ruling else {
        let text = "not known yet: policy has not been asked about this plan";
        return fact("risk", Role::StatusUnknown, text, cols);
    };
    let again = match release.ruled(&world.state.charter_digest) {
        Some(_) => "",
        None => ", of another plan or policy: asked again",
    };
    let risk = &ruling.risk;
    let head = Line::new()
        .gap(1)
        .left(Role::Dim, "risk", FACTS)
        .text(grounds::risk_role(risk.level), risk.words())
        .text(Role::StatusUnknown, again);
    let rule = ruling.rule_words();
    let beside = head.width() + 3 + super::super::widgets::width(&rule) <= usize::from(cols);
    let mut lines = vec![if beside {
        head.gap(3).text(Role::Dim, rule)
    } else {
        head
    }];
    if full {
        lines.extend(grounds::factors(risk, 1 + FACTS, cols));
    } else {
        let names = grounds::factors_short(risk, cols.saturating_sub(FACTS + 2));
        if !names.is_empty() {
            lines.push(Line::new().gap(1 + FACTS).text(Role::Text, names));
        }
    }
    lines
}

/// The checks with their state, and what it needs of others.
fn ready(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let room = cols.saturating_sub(FACTS + 2);
    let checks = grounds::checks_short(desk, world, release, room);
    let mut lines = if checks.is_empty() {
        fact("ready", Role::Dim, "policy asks for no checks", cols)
    } else {
        labelled("ready", checks)
    };
    lines.extend(labelled("needs", grounds::needs(world, release, room)));
    lines
}

/// How it goes back, and whether anybody has tried.
fn back(release: &Release, cols: u16) -> Vec<Line> {
    let plan = &release.plan.rollback;
    let mut lines = match plan.note.as_deref() {
        Some(note) => fact("back", Role::Text, note, cols),
        None => {
            let text = "the plan says nothing of going back";
            fact("back", Role::StatusUnknown, text, cols)
        }
    };
    let (role, text) = match plan.tested {
        true => (Role::StatusGood, "tried with exactly these versions"),
        false => (Role::StatusPerson, "never tried with these versions"),
    };
    lines.extend(fact("", role, text, cols));
    lines
}

/// When it goes, what the calendar says to that, and with whom it collides.
fn when(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let room = cols.saturating_sub(FACTS + 2);
    let schedule = grounds::schedule(desk, world, release, room);
    let mut lines = labelled("when", schedule);
    let clashes = grounds::clashes(desk, world, release, room);
    if clashes.is_empty() {
        lines.extend(fact(
            "",
            Role::Dim,
            "no conflict with another release",
            cols,
        ));
    }
    lines.extend(labelled("conflict", clashes));
    lines
}

/// What changes, line by line.
pub(super) fn commits(release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for change in &release.plan.changes {
        let label = if lines.is_empty() { "changes" } else { "" };
        lines.extend(fact(label, Role::Text, change, cols));
    }
    lines
}

/// Where it is written down, and who asks for it.
pub(super) fn about(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let plan = &release.plan;
    let now = world.now;
    let mut lines = Vec::new();
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
    let text = match dependents.as_slice() {
        [] => return fact("impact", Role::Dim, "no other service depends on it", cols),
        [one] => format!("{one} depends on it"),
        many => format!("{} services depend on it: {}", many.len(), many.join(", ")),
    };
    fact("impact", Role::Text, &text, cols)
}

/// The votes: who has to give how many, who gave them, what is missing, and whether you may.
pub(super) fn votes(desk: &Desk, world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    let hold = release.approval();
    let Some(HoldKind::Approval(terms)) = hold.map(|h| &h.kind) else {
        let mut lines = fact("votes", Role::Dim, "this release needs no approval", cols);
        lines.extend(next(world, release, cols));
        return lines;
    };
    if terms.needs.is_empty() {
        let text = "none needed: policy alone approves this release";
        let mut lines = fact("votes", Role::Dim, text, cols);
        lines.extend(next(world, release, cols));
        return lines;
    }
    let tally = tally(release, terms, world.now);
    for (n, (group, need, have)) in tally.groups.iter().enumerate() {
        let label = if n == 0 { "votes" } else { "" };
        let asked = (group, *need, have.as_slice());
        lines.extend(needed(world, release, terms, label, asked, cols));
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
    // who may still vote stands beside the count: said again only where it takes more than that
    let pressed = hold.is_some_and(Hold::cleared) || tally.blocked();
    if pressed {
        lines.extend(next(world, release, cols));
    }
    lines.extend(you(desk, world, release, terms, cols));
    if let Some(comment) = desk.comments.get(&release.id) {
        let text = format!("your comment: {comment}");
        lines.extend(fact("", Role::Text, &text, cols));
    }
    lines
}

/// The votes of one group: how many it has to give, who gave them, and whom to ask.
fn needed(
    world: World<'_>,
    release: &Release,
    terms: &Terms,
    label: &'static str,
    (group, need, have): (&GroupName, u32, &[PersonName]),
    cols: u16,
) -> Vec<Line> {
    let full = have.len() >= need as usize;
    let (role, glyph) = if full {
        (Role::StatusGood, Glyph::Done)
    } else {
        (Role::StatusPerson, Glyph::Waits)
    };
    let mut line = Line::new()
        .gap(1)
        .left(Role::Dim, label, FACTS)
        .sign(role, glyph)
        .gap(1)
        .text(role, format!("{group} {}/{need}", have.len()));
    let indent = u16::try_from(line.width() + 2).unwrap_or(FACTS);
    let names: Vec<String> = have.iter().map(|p| world.person(p)).collect();
    let words = if full {
        names.join(", ")
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
        if members.is_empty() {
            format!("{given}nobody is left who may vote")
        } else {
            format!("{given}may still vote: {}", members.join(", "))
        }
    };
    // beside the count as far as there is room, else beneath it: whom to call must not be cut
    let (room, beneath) = match cols.saturating_sub(indent) {
        room if room >= NAMES => (room, indent),
        _ => (cols.saturating_sub(FACTS + 3), FACTS + 3),
    };
    let mut wrapped = Line::wrapped(Role::Text, &words, 0, room.max(1)).into_iter();
    if beneath == indent {
        let first = wrapped.next().map(|line| line.words()).unwrap_or_default();
        line = line.gap(2).text(Role::Text, first);
    }
    let mut lines = vec![line];
    lines.extend(wrapped.map(|line| Line::new().gap(beneath).text(Role::Text, line.words())));
    lines
}

/// Who has to press what next.
pub(super) fn next(world: World<'_>, release: &Release, cols: u16) -> Vec<Line> {
    let waiting = world.waiting(release);
    let text = press::next(world.state, release, &waiting, world.now);
    if text.is_empty() {
        return Vec::new();
    }
    fact("next", Role::StatusPerson, &text, cols)
}

/// Whether you may vote, for whom, and if not why.
fn you(desk: &Desk, world: World<'_>, release: &Release, terms: &Terms, cols: u16) -> Vec<Line> {
    if let Some(notice) = offer::refusal(world, desk.asker(), release.id, Action::Approve) {
        return fact("you", Role::Dim, &notice.headline, cols);
    }
    let Some(who) = desk.who() else {
        return Vec::new();
    };
    let groups = authority::voting(world.state, who, release, terms, world.now);
    let groups: Vec<GroupName> = groups.into_iter().cloned().collect();
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    let names = names.join(" or ");
    let (role, text) = match release.votes.get(who) {
        Some(vote) => (
            Role::Text,
            format!(
                "your vote for {names} is to {}; you may change it",
                say::vote(vote.choice)
            ),
        ),
        None if helps(release, terms, world.now, who, &groups) => {
            (Role::StatusPerson, format!("you may vote for {names}"))
        }
        None => (
            Role::Text,
            format!("you may vote for {names}, whose votes are complete"),
        ),
    };
    fact("you", role, &text, cols)
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
        let mut text = format!("{} votes to {}", world.person(who), say::vote(vote.choice));
        if !vote.comment.is_empty() {
            text.push_str(&format!(": {}", vote.comment));
        }
        if let Some(over) = &vote.overruled {
            let by = world.person(&over.by);
            text.push_str(&format!("; overruled by {by}: {}", over.why));
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
                    .map(|m| match m.steps.first().and_then(|step| step.exposure) {
                        Some(share) => format!("{share} of {}", m.target),
                        None => {
                            let count = say::count(m.steps.len(), "instance");
                            format!("{count} of {}", m.target)
                        }
                    })
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
