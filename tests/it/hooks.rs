//! The hook: a real script is told of what people must know, and stops nothing whatever it does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use holdpoint::domain::{Control, Plan, ReleaseId, Span};
use holdpoint::engine::Hook;

use crate::engine::{Stage, short_plan};
use crate::until::until_async;

/// A stage with a script as its hook, which is given two arguments.
async fn stage(script: &str, limit: Span) -> Stage {
    let mut stage = Stage::new().await;
    let file = stage.file("hook");
    fs::write(
        &file,
        format!("#!/bin/sh\ncd \"$(dirname \"$0\")\"\n{script}\n"),
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    stage.hook = Some(Hook {
        argv: vec![
            file.display().to_string(),
            "--urgent".to_owned(),
            "two words".to_owned(),
        ],
        limit,
    });
    stage.stop().await;
    stage.start().await;
    stage
}

/// A release that waits for a person's word, whose deadline comes near at once.
async fn warned(stage: &Stage) -> ReleaseId {
    let mut plan: Plan = short_plan();
    let hold = &mut plan.batches[0].before[0];
    hold.deadline = Some(Span::mins(30));
    hold.warn = Some(Span::mins(30));
    let id = stage.approved(plan).await;
    stage.control(id, Control::Start).await.unwrap();
    stage.until(id, "manual").await;
    id
}

async fn written(file: PathBuf) -> String {
    let see = async || fs::read_to_string(&file).unwrap_or_default();
    until_async("what the hook writes", see, |text| text.ends_with("end\n")).await
}

/// Waits until people are told that the hook failed.
async fn failed(stage: &Stage) -> String {
    let see = async || stage.engine().live().borrow().alerts.clone();
    let is = |code: &str| code == "hook-failed";
    let alerts = until_async("hook-failed", see, |all| all.iter().any(|n| is(&n.code))).await;
    let told = alerts.into_iter().find(|n| is(&n.code)).unwrap();
    assert!(
        !told.detail.is_empty() && !told.next_step.is_empty(),
        "{told:?}"
    );
    told.headline
}

/// The release goes on to its end.
async fn goes_on(stage: &Stage, id: ReleaseId) {
    let promote = Control::Promote { seen: None };
    stage.control(id, promote).await.unwrap();
    stage.until(id, "closed: succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hook_is_told_of_a_deadline_ahead_of_time_and_once() {
    let script = "{ for word in \"$@\"; do echo \"word $word\"; done; env | grep ^HOLDPOINT_ | sort; \
                  echo end; } >> told";
    let stage = stage(script, Span::secs(30)).await;
    let id = warned(&stage).await;
    let told = written(stage.file("told")).await;
    let text = format!("HOLDPOINT_TEXT={id} payments 4.12.0: deadline of manual comes near");
    let expected = [
        "word --urgent",
        "word two words",
        "HOLDPOINT_EVENT=hold-warned",
        &format!("HOLDPOINT_RELEASE={id}"),
        &text,
        "end",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    goes_on(&stage, id).await;
    assert_eq!(fs::read_to_string(stage.file("told")).unwrap(), told);
    assert!(stage.engine().live().borrow().alerts.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_is_told_with_what_it_said_until_it_works_again() {
    let script = "[ -e works ] && exit 0; printf 'no route to pager\\033[2J\\n' >&2; exit 3";
    let stage = stage(script, Span::secs(30)).await;
    let id = warned(&stage).await;
    let words = failed(&stage).await;
    assert!(words.contains("exit 3: no route to pager"), "{words}");
    assert!(!words.contains('\u{1b}'), "{words:?}");
    fs::write(stage.file("works"), "").unwrap();
    // it is told of the way back, and takes it
    let back = Control::RollBack { why: "".into() };
    goes_on(&stage, id).await;
    let other = warned(&stage).await;
    let see = async || stage.engine().live().borrow().alerts.clone();
    until_async("the alert goes", see, Vec::is_empty).await;
    stage.control(other, back).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_hangs_is_ended_with_its_children_and_stops_nothing() {
    let stage = stage("sleep 300 & echo $! > child; wait", Span(300)).await;
    let id = warned(&stage).await;
    let words = failed(&stage).await;
    assert!(words.contains("no end after 300 ms"), "{words}");
    let child = fs::read_to_string(stage.file("child")).unwrap();
    let see = async || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        stat.unwrap_or_default()
    };
    // gone, or dead and not yet waited for
    let ended = |stat: &String| stat.is_empty() || stat.contains(") Z ");
    until_async("the end of its child", see, ended).await;
    goes_on(&stage, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_is_missing_is_told_and_stops_nothing() {
    let mut stage = Stage::new().await;
    stage.hook = Some(Hook {
        argv: vec!["./no-such-hook".to_owned()],
        limit: Span::secs(30),
    });
    stage.stop().await;
    stage.start().await;
    let id = warned(&stage).await;
    let words = failed(&stage).await;
    assert!(
        words.contains("there is no program `./no-such-hook`"),
        "{words}"
    );
    goes_on(&stage, id).await;
}
