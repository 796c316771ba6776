//! `report`: what the ledger says about how well things work.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::args::ReportVerb;
use super::exec::Errand;
use super::exit::{Exit, Went};
use super::keeper::Keeper;
use super::release::now;
use crate::domain::plan::Trigger;
use crate::domain::release::Ending;
use crate::domain::{Call, Decision, Event, ReleaseId, Span, Timestamp, What};

/// How many entries are read at a time.
const PAGE: usize = 500;

/// With fewer releases than this behind it, a share says nothing.
const FEW: u32 = 10;

/// Who spoke, and how often that was right.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "holdpoint.report-triggers/1")]
pub struct TriggersView {
    /// `holdpoint.report-triggers/1`.
    pub schema: &'static str,
    /// The releases that were looked at: those that moved and are closed.
    pub releases: u32,
    /// Of these: a person paused them or rolled them back.
    pub stopped_by_people: u32,
    /// Of these: succeeded, and no person ever stopped them.
    pub succeeded: u32,
    /// Of these: rolled back by an automatism alone, so that nobody has said whether that was right.
    pub automatic: u32,
    /// Everybody who ever spoke.
    pub speakers: Vec<SpeakerView>,
}

/// Somebody who spoke.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SpeakerView {
    /// `trigger`, `metric` or `judge`.
    pub kind: &'static str,
    /// The trigger's or the metric's name; empty for the judge.
    pub name: String,
    /// What it said: `roll-back`, `pause`, `inconclusive`, `fail`, `hold`.
    pub verdict: &'static str,
    /// Whether it only spoke for the record.
    pub shadow: bool,
    /// How often it spoke, over all releases.
    pub spoke: u32,
    /// Releases of which it spoke before a person stopped them.
    pub right: u32,
    /// Releases that people stopped and of which it spoke only afterwards.
    pub late: u32,
    /// Releases that succeeded without being stopped, of which it spoke.
    pub wrong: u32,
    /// Releases that people stopped and of which it never spoke.
    pub missed: u32,
    /// Releases that an automatism took back, of which it spoke: not counted as right.
    pub automatic: u32,
    /// `right / (right + wrong)`; `null` below ten such releases.
    pub precision: Option<f64>,
    /// `right / (right + late + missed)`; `null` below ten such releases.
    pub recall: Option<f64>,
}

/// Who speaks, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Speaker {
    shadow: bool,
    kind: &'static str,
    name: String,
    verdict: &'static str,
}

/// What is known of one release.
#[derive(Clone, Debug, Default)]
struct Story {
    triggers: Vec<Trigger>,
    moved: bool,
    /// When a person stopped it first.
    stopped: Option<Timestamp>,
    /// Who spoke first when, and how often.
    spoke: BTreeMap<Speaker, (Timestamp, u32)>,
    closed: Option<(Timestamp, Ending)>,
}

/// How a release is told to have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    /// A person stopped it then.
    Bad(Timestamp),
    Good,
    /// An automatism took it back.
    Untold,
}

/// Carries out one of them.
pub async fn run<R: Keeper>(verb: &ReportVerb, errand: &Errand<'_, R>) -> Went {
    let ReportVerb::Triggers { since } = verb;
    let mut stories = Stories::default();
    let mut next = 1;
    loop {
        let page = errand.room.entries(next, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.seq + 1;
        // what another version has written says nothing to this one
        let events = page
            .iter()
            .filter_map(|line| Event::from_bytes(&line.bytes).ok());
        events.for_each(|event| stories.take(&event));
    }
    let view = stories.view(since.map(|span: Span| now().minus(span)));
    if errand.out.look.json {
        errand.out.object(&view).await?;
    } else {
        errand.out.say(words(&view)).await?;
    }
    Ok(Exit::Done)
}

/// All releases of a ledger.
#[derive(Debug, Default)]
struct Stories(BTreeMap<ReleaseId, Story>);

impl Stories {
    fn take(&mut self, event: &Event) {
        let Some(id) = event.what.release() else {
            return;
        };
        let story = self.0.entry(id).or_default();
        match &event.what {
            What::Submitted { plan, .. } => story.triggers.clone_from(&plan.triggers),
            What::Started { .. } => story.moved = true,
            What::Paused { .. } | What::RollbackBegan { .. } if event.who.person().is_some() => {
                story.stopped.get_or_insert(event.at);
            }
            What::Closed { ending, .. } => story.closed = Some((event.at, *ending)),
            what => {
                if let Some(speaker) = story.speaker(what) {
                    story.spoke.entry(speaker).or_insert((event.at, 0)).1 += 1;
                }
            }
        }
    }

    fn view(&self, since: Option<Timestamp>) -> TriggersView {
        let told = |story: &Story| {
            let (at, _) = story.closed?;
            let of_interest = story.moved && since.is_none_or(|since| at >= since);
            of_interest.then_some(())?;
            story.truth()
        };
        let known = self.0.values();
        let known: Vec<(&Story, Truth)> = known
            .filter_map(|story| Some((story, told(story)?)))
            .collect();
        let count = |which: fn(&Truth) -> bool| {
            let many = known.iter().filter(|(_, truth)| which(truth)).count();
            u32::try_from(many).unwrap_or(u32::MAX)
        };
        let speakers: BTreeSet<&Speaker> = known.iter().flat_map(|(s, _)| s.spoke.keys()).collect();
        TriggersView {
            schema: "holdpoint.report-triggers/1",
            releases: count(|_| true),
            stopped_by_people: count(|truth| matches!(truth, Truth::Bad(_))),
            succeeded: count(|truth| *truth == Truth::Good),
            automatic: count(|truth| *truth == Truth::Untold),
            speakers: speakers.into_iter().map(|s| score(s, &known)).collect(),
        }
    }
}

impl Story {
    /// Who speaks by an event, and says what.
    fn speaker(&self, what: &What) -> Option<Speaker> {
        let (kind, name, verdict, shadow) = match what {
            What::TriggerFired { trigger, .. } => {
                let trigger = self.triggers.get(*trigger)?;
                let verdict = match trigger.action {
                    crate::domain::plan::TriggerAction::RollBack => "roll-back",
                    crate::domain::plan::TriggerAction::Pause => "pause",
                };
                ("trigger", trigger.name().to_owned(), verdict, false)
            }
            What::Judged { verdict, .. } => {
                let said = match verdict.call {
                    Call::Fail => "fail",
                    Call::Hold => "hold",
                    Call::Pass | Call::Undecided | Call::NoData => return None,
                };
                ("metric", verdict.metric.to_string(), said, verdict.shadow)
            }
            What::Weighed { judgement, .. } => {
                let said = match judgement.decision {
                    Decision::RollBack => "roll-back",
                    Decision::Pause => "pause",
                    Decision::Inconclusive => "inconclusive",
                    Decision::Continue | Decision::Promote => return None,
                };
                ("judge", String::new(), said, judgement.shadow)
            }
            _ => return None,
        };
        Some(Speaker {
            shadow,
            kind,
            name,
            verdict,
        })
    }

    /// How the release is told to have been; nothing where it ended in a way that tells nothing.
    fn truth(&self) -> Option<Truth> {
        match (self.stopped, self.closed?.1) {
            (Some(at), _) => Some(Truth::Bad(at)),
            (None, Ending::Succeeded) => Some(Truth::Good),
            (None, Ending::RolledBack) => Some(Truth::Untold),
            _ => None,
        }
    }
}

fn score(speaker: &Speaker, known: &[(&Story, Truth)]) -> SpeakerView {
    let mut view = SpeakerView {
        kind: speaker.kind,
        name: speaker.name.clone(),
        verdict: speaker.verdict,
        shadow: speaker.shadow,
        spoke: 0,
        right: 0,
        late: 0,
        wrong: 0,
        missed: 0,
        automatic: 0,
        precision: None,
        recall: None,
    };
    for (story, truth) in known {
        let spoke = story.spoke.get(speaker);
        view.spoke += spoke.map_or(0, |(_, many)| *many);
        let place = match (truth, spoke) {
            (Truth::Bad(stopped), Some((first, _))) if first <= stopped => &mut view.right,
            (Truth::Bad(_), Some(_)) => &mut view.late,
            (Truth::Bad(_), None) => &mut view.missed,
            (Truth::Good, Some(_)) => &mut view.wrong,
            (Truth::Untold, Some(_)) => &mut view.automatic,
            (Truth::Good | Truth::Untold, None) => continue,
        };
        *place += 1;
    }
    let share = |of: u32, all: u32| (all >= FEW).then(|| f64::from(of) / f64::from(all));
    view.precision = share(view.right, view.right + view.wrong);
    view.recall = share(view.right, view.right + view.late + view.missed);
    view
}

fn words(view: &TriggersView) -> String {
    let mut text = format!(
        "closed releases that had moved: {}, of which people stopped {}, {} succeeded, {} went back by themselves\n",
        view.releases, view.stopped_by_people, view.succeeded, view.automatic
    );
    if view.speakers.is_empty() {
        text.push_str("nobody has spoken\n");
        return text;
    }
    text.push_str(
        "\nwho                      said          spoke  right  late  missed  wrong  auto  precision  recall\n",
    );
    for one in &view.speakers {
        let shadow = if one.shadow { " (shadow)" } else { "" };
        let who = match one.name.as_str() {
            "" => format!("{}{shadow}", one.kind),
            name => format!("{} {name}{shadow}", one.kind),
        };
        text.push_str(&format!(
            "{who:<24} {:<13} {:>5}  {:>5}  {:>4}  {:>6}  {:>5}  {:>4}  {:>9}  {:>6}\n",
            one.verdict,
            one.spoke,
            one.right,
            one.late,
            one.missed,
            one.wrong,
            one.automatic,
            share(one.precision, one.right + one.wrong),
            share(one.recall, one.right + one.late + one.missed),
        ));
    }
    text.push_str(&format!(
        "\nn/{FEW}: too few releases to say. A person's pause or rollback counts as the truth; what went back \
         by itself\nconfirms nobody (auto).\n"
    ));
    text
}

fn share(share: Option<f64>, releases: u32) -> String {
    match share {
        Some(share) => format!("{:.0} %", share * 100.0),
        None => format!("{releases}/{FEW}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, Door, Judgement};

    fn event(at: i64, who: Actor, what: What) -> Event {
        Event {
            v: 1,
            at: Timestamp(at),
            who,
            door: Door::Engine,
            what,
        }
    }

    /// A release of which the judge spoke in shadow, that a person stopped, or that ended by itself.
    fn release(
        stories: &mut Stories,
        n: u64,
        spoke: Option<i64>,
        stopped: Option<i64>,
        ending: Ending,
    ) {
        let release = ReleaseId(n);
        let person = || Actor::Person("ada".into());
        let started = What::Started {
            release,
            con: None,
            was: Vec::new(),
        };
        stories.take(&event(0, person(), started));
        let judgement = Judgement {
            decision: Decision::RollBack,
            shadow: true,
            ..Judgement::default()
        };
        if let Some(at) = spoke {
            stories.take(&event(
                at,
                Actor::Engine,
                What::Weighed { release, judgement },
            ));
        }
        let why = || "".into();
        if let Some(at) = stopped {
            stories.take(&event(
                at,
                person(),
                What::Paused {
                    release,
                    why: why(),
                },
            ));
        }
        if ending == Ending::RolledBack {
            let back = What::RollbackBegan {
                release,
                why: why(),
            };
            stories.take(&event(50, Actor::Engine, back));
        }
        let closed = What::Closed {
            release,
            ending,
            why: why(),
        };
        stories.take(&event(100, Actor::Engine, closed));
    }

    #[test]
    fn people_are_the_truth_and_automatisms_confirm_nobody() {
        let mut stories = Stories::default();
        release(&mut stories, 1, Some(10), Some(20), Ending::Succeeded);
        release(&mut stories, 2, Some(30), Some(20), Ending::RolledBack);
        release(&mut stories, 3, None, Some(20), Ending::RolledBack);
        release(&mut stories, 4, Some(10), None, Ending::Succeeded);
        release(&mut stories, 5, Some(10), None, Ending::RolledBack);
        release(&mut stories, 6, Some(10), None, Ending::Cancelled);
        let view = stories.view(None);
        let counted = (
            view.releases,
            view.stopped_by_people,
            view.succeeded,
            view.automatic,
        );
        assert_eq!(counted, (5, 3, 1, 1));
        let one = &view.speakers[0];
        assert_eq!((one.right, one.late, one.missed), (1, 1, 1));
        assert_eq!((one.wrong, one.automatic, one.spoke), (1, 1, 4));
        assert_eq!((one.precision, one.recall), (None, None), "too few");
        assert!(words(&view).contains("judge (shadow)"), "{}", words(&view));
        assert_eq!(stories.view(Some(Timestamp(101))).releases, 0);
    }

    #[test]
    fn shares_where_there_are_enough() {
        let mut stories = Stories::default();
        for n in 0..12 {
            let stopped = (n < 9).then_some(20);
            release(&mut stories, n, Some(10), stopped, Ending::Succeeded);
        }
        release(&mut stories, 20, None, Some(20), Ending::Succeeded);
        let view = stories.view(None);
        let one = &view.speakers[0];
        assert_eq!((one.precision, one.recall), (Some(0.75), Some(0.9)));
    }
}
