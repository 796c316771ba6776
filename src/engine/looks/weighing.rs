//! The judge at work on one release: the metrics that act together, those that only inform, and those
//! in shadow, each weighed for themselves.

use serde::{Deserialize, Serialize};

use super::gathered::{Gathered, Mode, Owned};
use crate::domain::charter::Charter;
use crate::domain::live::{Decides, Judged};
use crate::domain::metric::{Action, Horizon, Judging};
use crate::domain::problems::length;
use crate::domain::{Call, Decision, Judgement, MetricName, MetricVerdict, Plan, Span, canonical};
use crate::judge::interval::Interval;
use crate::judge::rollout::{Around, Metric, Read, Rollout};
use crate::judge::verdict::{Rules, Ruling, Verdict};
use crate::judge::{limit, setup};

/// How many looks a rollout is reckoned to last at least: what is kept for late regressions costs
/// little.
const LEAST_HORIZON: u32 = 240;

/// What takes longer than this is not worth waiting for.
const LONGEST: Span = Span::mins(30 * 24 * 60);

/// Which metrics are weighed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Lane {
    /// Something may follow from them.
    Acting,
    /// People are told.
    Informing,
    /// They are only written down.
    Shadow,
}

/// Metrics that are weighed together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Group {
    lane: Lane,
    /// Which of the release's metrics these are.
    of: Vec<usize>,
    rollout: Rollout,
    /// The metrics to blame for what was said last.
    blamed: Vec<MetricName>,
}

/// All metrics of a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Weighing {
    /// What it was set to, by digest: evidence gathered under other settings is none under these.
    settings: String,
    judging: Judging,
    groups: Vec<Group>,
}

/// What a look is taken under, besides the metrics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// The share of traffic that the new version should get.
    pub share: Option<f64>,
    /// Whether the step has had its least time.
    pub elapsed: bool,
    /// Until when nothing is judged yet, from now on.
    pub warm_in: Option<Span>,
    /// Whether the old version of a service runs nowhere any more.
    pub alone: bool,
}

/// What a look says: of each metric in the order of the release's, and of the release.
pub(super) struct Said {
    pub verdicts: Vec<MetricVerdict>,
    pub charts: Vec<Judged>,
    pub judgements: Vec<Judgement>,
}

/// The looks within which regressions may begin.
fn horizon(given: Option<Horizon>, plan: &Plan, pace: Span) -> u32 {
    let looks = |span: Span| u32::try_from(span.0.div_ceil(pace.0.max(1))).unwrap_or(u32::MAX);
    match given {
        Some(Horizon::Looks(looks)) => looks.max(1),
        Some(Horizon::Time(span)) => looks(span).max(1),
        None => looks(length(plan)).max(LEAST_HORIZON),
    }
}

impl Weighing {
    /// Nothing seen yet. `paces` says how often each metric is looked at.
    pub fn new(charter: &Charter, plan: &Plan, metrics: &[&Gathered], paces: &[Span]) -> Weighing {
        let judging = charter.judging;
        let lane = |one: &Gathered| {
            let service = charter.services.get(&one.service);
            let hidden = service.is_some_and(|service| service.in_shadow(&one.metric));
            match one.metric.acts() {
                _ if hidden || judging.shadow => Lane::Shadow,
                Action::Inform => Lane::Informing,
                Action::Hold | Action::RollBack => Lane::Acting,
            }
        };
        let asked = |index: usize| {
            let one = metrics[index];
            let horizon = horizon(one.metric.horizon, plan, paces[index]);
            setup::asked(&one.metric, one.name.as_str(), horizon)
        };
        let group = |which: Lane| {
            let of: Vec<usize> = (0..metrics.len())
                .filter(|index| lane(metrics[*index]) == which)
                .collect();
            let asked = of.iter().map(|index| asked(*index)).collect();
            let rollout = Rollout::new(setup::rules(&judging), asked);
            (!of.is_empty()).then_some(Group {
                lane: which,
                of,
                rollout,
                blamed: Vec::new(),
            })
        };
        let lanes = [Lane::Acting, Lane::Informing, Lane::Shadow];
        let groups: Vec<Group> = lanes.into_iter().filter_map(group).collect();
        let names: Vec<_> = metrics
            .iter()
            .map(|one| (&one.service, &one.name))
            .collect();
        let settings = serde_json::to_string(&(&names, &judging, &groups)).unwrap_or_default();
        Weighing {
            settings: canonical::digest(&settings),
            judging,
            groups,
        }
    }

    /// Goes on from what was weighed before; whether it was weighed under the same settings.
    pub fn remember(&mut self, before: Weighing) -> bool {
        let same = before.settings == self.settings;
        if same {
            *self = before;
        }
        same
    }

    /// Whether peers of a metric are of interest.
    pub fn wants_peers(&self, index: usize, metric: &crate::domain::charter::Metric) -> bool {
        let acting = self.groups.iter().find(|g| g.lane == Lane::Acting);
        self.judging.peers
            && metric.is_critical()
            && acting.is_some_and(|group| group.of.contains(&index))
    }

    /// Another step of the rollout begins.
    pub fn next_step(&mut self) {
        for group in &mut self.groups {
            group.rollout.next_step();
        }
    }

    /// Weighs what the last look brought of each metric.
    pub fn look(
        &mut self,
        metrics: &mut [&mut Gathered],
        paces: &[Span],
        around: &Circumstances,
    ) -> Said {
        let rules = setup::rules(&self.judging);
        let mut said: Vec<Option<(MetricVerdict, Judged)>> = Vec::new();
        said.resize_with(metrics.len(), || None);
        let mut judgements = Vec::new();
        for group in &mut self.groups {
            judgements.extend(group.look(metrics, around, &rules));
            for (place, index) in group.of.iter().enumerate() {
                let metric = &group.rollout.metrics()[place];
                let one = &mut *metrics[*index];
                let confirm = self.judging.confirm;
                let (verdict, interval) = verdict(one, metric, around, group.lane, confirm);
                let judged = shown(one, metric, &rules, paces[*index], interval);
                said[*index] = Some((verdict, group.judged(one, judged)));
            }
        }
        for one in metrics.iter_mut() {
            one.fresh = Owned::Same;
        }
        let (verdicts, charts) = said.into_iter().flatten().unzip();
        Said {
            verdicts,
            charts,
            judgements,
        }
    }

    /// How the charts stand without a look, in the order of the release's metrics.
    pub fn standing(&self, metrics: &[&Gathered], paces: &[Span]) -> Vec<Judged> {
        let rules = setup::rules(&self.judging);
        let mut charts = vec![Judged::default(); metrics.len()];
        for group in &self.groups {
            for (place, index) in group.of.iter().enumerate() {
                let metric = &group.rollout.metrics()[place];
                let interval = interval(metrics[*index], metric);
                let one = metrics[*index];
                let judged = shown(one, metric, &rules, paces[*index], interval);
                charts[*index] = group.judged(one, judged);
            }
        }
        charts
    }
}

impl Group {
    /// What the group adds to how one of its metrics stands.
    fn judged(&self, one: &Gathered, judged: Judged) -> Judged {
        Judged {
            blamed: self.lane != Lane::Informing && self.blamed.contains(&one.name),
            shadow: self.lane == Lane::Shadow,
            ..judged
        }
    }

    /// Feeds the group; what the judge says of the release by it, where anything may be said.
    fn look(
        &mut self,
        metrics: &mut [&mut Gathered],
        around: &Circumstances,
        rules: &Rules,
    ) -> Option<Judgement> {
        for (place, index) in self.of.iter().enumerate() {
            let chosen = metrics[*index].choice();
            if let (Some((bounds, warm)), Some(metric)) = (chosen, self.rollout.metric_mut(place)) {
                metric.choose(&bounds, &warm);
            }
        }
        let members = || self.of.iter().map(|index| &*metrics[*index]);
        let reads: Vec<Read<'_>> = members().map(|one| one.fresh.read()).collect();
        if reads.iter().all(|read| *read == Read::Same) {
            // nobody has looked: nothing is confirmed by that
            return None;
        }
        let broken = |critical: bool| {
            members()
                .filter(move |one| one.metric.is_critical() == critical)
                .filter_map(|one| Some((one, format!("{} {}", one.name, one.broken.as_ref()?))))
                .collect::<Vec<_>>()
        };
        let (hard, soft) = (broken(true), broken(false));
        let ruling = self.rollout.look(
            &reads,
            &Around {
                hard_limit: hard.first().map(|(_, words)| words.as_str()),
                share: around.share.filter(|_| !around.alone),
                elapsed: around.elapsed && around.warm_in.is_none() && !around.alone,
                step_over: false,
                peer_most: peer_most(members()),
            },
        );
        let names = |broken: &[(&Gathered, String)]| -> Vec<MetricName> {
            broken.iter().map(|(one, _)| one.name.clone()).collect()
        };
        let judgement = match (soft.first(), ruling.verdict) {
            (Some((_, words)), verdict)
                if !matches!(verdict, Verdict::Rollback | Verdict::Pause) =>
            {
                Judgement {
                    decision: Decision::Pause,
                    reason: format!("hard limit: {words}").into(),
                    blamed: names(&soft),
                    ..Judgement::default()
                }
            }
            _ if hard.is_empty() => from(ruling),
            _ => Judgement {
                blamed: names(&hard),
                ..from(ruling)
            },
        };
        let inputs: Vec<_> = members()
            .map(|one| (&one.service, &one.name, &one.memory.inputs))
            .collect();
        let judgement = Judgement {
            inputs: canonical::digest(&inputs).into(),
            shadow: self.lane == Lane::Shadow,
            ..judgement
        };
        self.blamed = judgement.blamed.clone();
        let closed = self.rollout.closed();
        for (index, left) in self.of.iter().zip(closed) {
            let one = &mut *metrics[*index];
            if one.fresh != Owned::Same {
                let proven = left >= 1.0 / rules.alpha_rollback;
                let streak = one.memory.proven.saturating_add(1);
                one.memory.proven = if proven { streak } else { 0 };
            }
        }
        (self.lane != Lane::Informing).then_some(judgement)
    }
}

/// The largest average of evidence against the critical metrics that any old instance would ever have
/// reached, as if it were the new version.
fn peer_most<'a>(metrics: impl Iterator<Item = &'a Gathered>) -> Option<f64> {
    let critical: Vec<&Gathered> = metrics.filter(|one| one.metric.is_critical()).collect();
    let weight = |one: &Gathered| setup::millionths(one.metric.weight);
    let all: f64 = critical.iter().map(|one| weight(one)).sum();
    let most = critical.iter().filter_map(|one| {
        let share = weight(one) / all;
        Some(share * one.peers_most()? + 1.0 - share)
    });
    most.max_by(f64::total_cmp)
}

fn from(ruling: Ruling) -> Judgement {
    let mut blamed: Vec<MetricName> = ruling
        .culprits
        .iter()
        .map(|name| MetricName::from(name.as_str()))
        .collect();
    blamed.dedup();
    Judgement {
        decision: match ruling.verdict {
            Verdict::Continue => Decision::Continue,
            Verdict::Pause => Decision::Pause,
            Verdict::Rollback => Decision::RollBack,
            Verdict::Inconclusive => Decision::Inconclusive,
            Verdict::Promote => Decision::Promote,
        },
        reason: ruling.reason.into(),
        blamed,
        ..Judgement::default()
    }
}

/// Between what the new version's value lies as a multiple of the old one's.
fn interval(one: &Gathered, metric: &Metric) -> Option<Interval> {
    metric.multiple(one.quantile(), &one.bounds(), one.newest().1)
}

/// What is said of a metric, and the interval that was worked out for it.
fn verdict(
    one: &mut Gathered,
    metric: &Metric,
    around: &Circumstances,
    lane: Lane,
    confirm: u32,
) -> (MetricVerdict, Option<Interval>) {
    let interval = interval(one, metric);
    let call = call(one, metric, around, confirm);
    let looked = one.fresh != Owned::Same;
    let streak = match one.memory.last {
        Some((last, streak)) if last == call => streak.saturating_add(u32::from(looked)),
        _ => 1,
    };
    one.memory.last = Some((call, streak));
    let verdict = MetricVerdict {
        metric: one.name.clone(),
        call,
        streak,
        words: words(one, metric, around, call, interval).into(),
        inputs: one.memory.inputs.clone(),
        shadow: lane == Lane::Shadow,
    };
    (verdict, interval)
}

fn call(one: &Gathered, metric: &Metric, around: &Circumstances, confirm: u32) -> Call {
    let rules = Rules::default();
    let e = metric.standing().e;
    let gauge = one.metric.is_gauge();
    // as long as nobody has looked again, what was said last holds
    if let (Owned::Same, Some((last, _))) = (&one.fresh, one.memory.last) {
        return last;
    }
    if one.broken.is_some() {
        return Call::Fail;
    }
    match one.fresh {
        Owned::Missing => return Call::NoData,
        // without an old version the hard limit is all there is
        _ if one.mode == Mode::Alone => {
            return match (one.metric.fail_above, one.enough()) {
                (Some(_), true) => Call::Pass,
                _ => Call::Undecided,
            };
        }
        _ if around.warm_in.is_some() => return Call::Undecided,
        _ => {}
    }
    if one.memory.proven >= confirm && !gauge {
        Call::Fail
    } else if e >= 1.0 / rules.alpha_pause {
        Call::Hold
    } else if metric.holds_margin(&rules) {
        Call::Pass
    } else {
        Call::Undecided
    }
}

fn words(
    one: &Gathered,
    metric: &Metric,
    around: &Circumstances,
    call: Call,
    interval: Option<Interval>,
) -> String {
    let values = || one.values().map(|values| format!("{values}; "));
    if let (Call::NoData, Some(why)) = (call, &one.why) {
        return format!("{}: no data: {why}", one.name);
    }
    if let Some(broken) = &one.broken {
        return format!("{}: new version {broken}", one.name);
    }
    if one.mode == Mode::Alone {
        let limit = match one.metric.fail_above {
            Some(above) => format!(
                "not above the hard limit of {}",
                limit::shown(&one.metric, setup::millionths(above))
            ),
            None => "nothing to compare with".to_owned(),
        };
        let values = values().unwrap_or_default();
        return format!("{}: {values}no old version is left, {limit}", one.name);
    }
    if let Some(left) = around.warm_in {
        let values = values().unwrap_or_default();
        return format!("{}: {values}warming up, judged in {left}", one.name);
    }
    if one.is_unchosen() {
        let values = values().unwrap_or_default();
        return format!(
            "{}: {values}too few requests yet to choose boundaries",
            one.name
        );
    }
    let sentence = metric.sentence_with(interval);
    // of a ratio it says the values itself
    let shown = match &one.metric.reading {
        crate::domain::charter::Reading::Ratio { .. } => None,
        _ => one.values(),
    };
    match (shown, sentence.split_once(": ")) {
        (Some(values), Some((name, rest))) => format!("{name}: {values}; {rest}"),
        _ => sentence,
    }
}

/// How a metric stands, for its chart.
fn shown(
    one: &Gathered,
    metric: &Metric,
    rules: &Rules,
    pace: Span,
    interval: Option<Interval>,
) -> Judged {
    let called = one.memory.last.map(|(call, _)| call);
    let decides = match (called, metric.looks_left(rules)) {
        (Some(Call::Pass | Call::Fail), _) => Decides::Now,
        (_, None) => Decides::Unknown,
        (_, Some(looks)) => {
            let span = looks.ceil() * pace.0 as f64;
            match span <= LONGEST.0 as f64 {
                true => Decides::In(Span(span as u64)),
                false => Decides::Never,
            }
        }
    };
    Judged {
        interval: interval.map(|between| (between.lower, between.upper)),
        tolerated: one.tolerated(),
        evidence: metric.standing().e,
        most: metric.ln_most().min(650.0).exp(),
        decides,
        blamed: false,
        action: one.metric.acts(),
        shadow: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ServiceName, Timestamp};
    use crate::engine::looks::gathered::Mode;
    use crate::judge::Sample;
    use crate::platform::scrape::MetricLook;

    const AROUND: Circumstances = Circumstances {
        share: Some(0.25),
        elapsed: true,
        warm_in: None,
        alone: false,
    };

    struct Scene {
        metrics: Vec<Gathered>,
        weighing: Weighing,
    }

    /// A service with these metrics, each a name and what it is set to besides its reading.
    fn scene(metrics: &[(&str, &str)]) -> Scene {
        let reading = r#""reading": {"ratio": {"bad": "b", "total": "t"}}, "min_count": 1000000"#;
        let mut charter = Charter::default();
        let service: crate::domain::charter::Service = serde_json::from_value(serde_json::json!({
            "owner": "web", "tier": 1, "depends_on": [], "metrics": {},
        }))
        .unwrap();
        let web: ServiceName = "web".into();
        charter.services.insert(web.clone(), service);
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "name": null, "title": "t", "environment": "prod", "services": [], "batches": [],
            "runbook": null, "window": null,
        }))
        .unwrap();
        let one = |(name, set): &(&str, &str)| {
            let metric = serde_json::from_str(&format!("{{{reading}{set}}}")).unwrap();
            Gathered::new(web.clone(), (*name).into(), metric)
        };
        let metrics: Vec<Gathered> = metrics.iter().map(one).collect();
        let all: Vec<&Gathered> = metrics.iter().collect();
        let paces = vec![Span::secs(15); all.len()];
        let weighing = Weighing::new(&charter, &plan, &all, &paces);
        Scene { metrics, weighing }
    }

    impl Scene {
        /// A look at all metrics: bad ones of the new version's 1000 and of the old one's 3000.
        fn look(&mut self, bad: &[(u64, u64)]) -> Said {
            for (one, (new, old)) in self.metrics.iter_mut().zip(bad) {
                let sample = |bad: u64, total: u64| Sample::Ratio { bad, total };
                let each = |n: u64| (format!("i-{n}").as_str().into(), sample(old / 3, 1000));
                let look = MetricLook {
                    metric: one.name.clone(),
                    canary: sample(*new, 1000),
                    baseline: sample(*old, 3000),
                    canary_each: Vec::new(),
                    baseline_each: (0..3).map(each).collect(),
                    dropped: Vec::new(),
                };
                one.take(look, Mode::Judged, true, Timestamp(0));
            }
            self.weigh()
        }

        fn weigh(&mut self) -> Said {
            let mut all: Vec<&mut Gathered> = self.metrics.iter_mut().collect();
            let paces = vec![Span::secs(15); all.len()];
            self.weighing.look(&mut all, &paces, &AROUND)
        }

        /// As after a restart.
        fn again(&self, metrics: &[(&str, &str)]) -> Scene {
            let mut other = scene(metrics);
            let text = serde_json::to_string(&self.weighing).unwrap();
            assert!(
                other
                    .weighing
                    .remember(serde_json::from_str(&text).unwrap())
            );
            for (one, of) in other.metrics.iter_mut().zip(&self.metrics) {
                let text = serde_json::to_string(&of.memory).unwrap();
                one.memory = serde_json::from_str(&text).unwrap();
            }
            other
        }
    }

    #[test]
    fn a_restart_at_any_look_changes_no_digit() {
        let set = [
            ("errors", ""),
            ("slow", r#", "weight": 2500000"#),
            ("seen", r#", "shadow": true"#),
        ];
        let bad = |n: u64| [(n % 7 + 8, 21), (n % 5, 9), (30, n % 11)];
        let mut whole = scene(&set);
        let mut broken = scene(&set);
        for n in 0..300 {
            let (one, other) = (whole.look(&bad(n)), broken.look(&bad(n)));
            assert_eq!(one.judgements, other.judgements);
            assert_eq!(one.verdicts, other.verdicts);
            assert_eq!(one.charts, other.charts);
            if n % 37 == 5 {
                broken = broken.again(&set);
            }
        }
        assert_eq!(whole.weighing, broken.weighing);
        let other = scene(&[("errors", r#", "weight": 2000000"#)]).weighing;
        assert!(!whole.weighing.remember(other), "other settings begin anew");
    }

    #[test]
    fn proof_is_confirmed_before_it_counts_and_blames_the_right_one() {
        let mut it = scene(&[("errors", ""), ("fine", "")]);
        let mut decisions = Vec::new();
        let mut last = None;
        for _ in 0..40 {
            let said = it.look(&[(60, 30), (10, 30)]);
            decisions.push(said.judgements[0].decision);
            last = Some(said);
        }
        let last = last.unwrap();
        decisions.dedup();
        assert_eq!(
            decisions,
            [Decision::Continue, Decision::Pause, Decision::RollBack]
        );
        assert_eq!(last.judgements[0].blamed, ["errors".into()]);
        assert!(last.charts[0].blamed && !last.charts[1].blamed);
        assert_eq!(last.verdicts[0].call, Call::Fail);
        assert!(
            last.charts[0].interval.unwrap().0 > 1.25,
            "{:?}",
            last.charts[0]
        );
        assert!(
            last.verdicts[0].words.contains("verwhelming evidence") || last.charts[0].most < 1000.0
        );
    }

    #[test]
    fn what_only_informs_or_is_in_shadow_says_nothing_of_the_release() {
        let mut it = scene(&[
            ("told", r#", "action": "inform""#),
            ("seen", r#", "shadow": true"#),
        ]);
        let mut said = it.look(&[(500, 30), (500, 30)]);
        for _ in 0..40 {
            said = it.look(&[(500, 30), (500, 30)]);
        }
        let [judgement] = said.judgements.as_slice() else {
            panic!("{:?}", said.judgements);
        };
        assert!(judgement.shadow && judgement.decision == Decision::RollBack);
        assert!(!said.verdicts[0].shadow && said.verdicts[0].call == Call::Fail);
        assert!(said.verdicts[1].shadow);
    }

    #[test]
    fn looking_again_at_the_same_confirms_nothing() {
        let mut it = scene(&[("errors", "")]);
        let first = it.look(&[(60, 30)]);
        for _ in 0..10 {
            let again = it.weigh();
            assert!(again.judgements.is_empty());
            assert_eq!(again.verdicts, first.verdicts);
        }
    }
}
