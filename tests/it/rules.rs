//! The rules of releases as people meet them: `tests/rules.sh`, which walks them on the command
//! line and can be run by hand.

use std::process::Command;

use crate::shop::BIN;

#[test]
fn the_rules_hold_on_the_command_line() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules.sh");
    let walked = Command::new(script).arg(BIN).output().unwrap();
    let told = String::from_utf8_lossy(&walked.stdout);
    let errors = String::from_utf8_lossy(&walked.stderr);
    assert!(walked.status.success(), "{told}\n{errors}");
}
