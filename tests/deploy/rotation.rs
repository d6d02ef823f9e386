//! `docs/deploy/rotate-keys`, with a program in place of the AWS CLI that keeps the secret in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use cloakroom::KeyRing;

use crate::root;

/// Keeps the secret in `ring`, the time of its last change in `changed`, and the deployment in `deployment`. In
/// `outcome` is how a deployment ends.
const AWS: &str = r#"#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
echo "$*" >>calls
case "$1 $2" in
"secretsmanager get-secret-value") case "$*" in *AWSPREVIOUS*) cat previous; echo ;; *) cat ring; echo ;; esac ;;
"secretsmanager put-secret-value") cat >ring.new; mv ring previous; mv ring.new ring; date --iso-8601=seconds >changed; echo version ;;
"secretsmanager describe-secret") cat changed ;;
"ecs update-service")
    echo "ecs-svc/$RANDOM $(cat outcome) $(date --iso-8601=seconds)" >deployment
    echo 2 >polls
    cut -d' ' -f1 deployment ;;
"ecs describe-services")
    left=$(cat polls)
    if ((left > 0)); then
        echo $((left - 1)) >polls
        ((left == 2)) || sed 's/COMPLETED\|FAILED/IN_PROGRESS/' deployment | tr ' ' '\t'
    else
        tr ' ' '\t' <deployment
    fi ;;
*) echo "unexpected: $*" >&2; exit 2 ;;
esac
"#;

const OLD: &str = "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";

struct Account(PathBuf);

impl Account {
    fn open(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("cloakroom-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let account = Self(folder);
        account.write("aws", AWS);
        fs::set_permissions(account.0.join("aws"), fs::Permissions::from_mode(0o700)).unwrap();
        account.write("ring", OLD);
        account.write("previous", "");
        account.write("polls", "0");
        account.write("outcome", "COMPLETED");
        account.write("changed", "2026-01-01T00:00:00+00:00");
        account.write("deployment", "ecs-svc/1 COMPLETED 2026-01-02T00:00:00+00:00");
        account.write("calls", "");
        account
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }

    fn keys(&self) -> Vec<String> {
        let ring = self.read("ring");
        ring.parse::<KeyRing>().unwrap_or_else(|error| panic!("{error}: {ring:?}"));
        ring.split(',').map(str::to_owned).collect()
    }

    /// Runs a step. Whatever it prints or passes on has no key in it.
    fn run(&self, step: &str, lifetime: &str) -> Result<String, String> {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        let mut script = Command::new(root().join("docs/deploy/rotate-keys"));
        script.args(["shop/session-keys", "shop", "shop", step]);
        let output = script
            .envs([("PATH", &*path), ("LIFETIME", lifetime), ("ROLLOUT", "0"), ("POLL", "0")])
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        for key in self.keys() {
            assert!(!text.contains(&key) && !self.read("calls").contains(&key), "{step}: {text}");
        }
        if output.status.success() { Ok(text) } else { Err(text) }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_new_key_verifies_first_then_signs_and_then_is_alone() {
    let account = Account::open("rotation");
    account.run("begin", "43200").unwrap();
    let begun = account.keys();
    assert_eq!((begun.len(), &*begun[0]), (2, OLD));
    account.run("switch", "43200").unwrap();
    assert_eq!(account.keys(), [&*begun[1], OLD]);
    let refusal = account.run("finish", "43200").unwrap_err();
    assert!(refusal.contains("may live for another 43"), "{refusal}");
    assert_eq!(account.keys().len(), 2);
    account.run("finish", "0").unwrap();
    assert_eq!(account.keys(), [&*begun[1]]);
}

#[test]
fn a_step_comes_after_the_step_before_it() {
    let account = Account::open("steps");
    account.run("begin", "0").unwrap();
    let begun = account.keys();
    let refusal = account.run("finish", "0").unwrap_err();
    assert!(refusal.contains("The last step was not: switch"), "{refusal}");
    account.run("switch", "0").unwrap();
    let refusal = account.run("switch", "0").unwrap_err();
    assert!(refusal.contains("The last step was not: begin"), "{refusal}");
    assert_eq!(account.keys(), [&*begun[1], OLD]);
    account.run("finish", "0").unwrap();
}

#[test]
fn nothing_is_changed_while_the_time_of_the_last_change_is_not_known() {
    let account = Account::open("no-time");
    account.run("begin", "0").unwrap();
    account.run("switch", "0").unwrap();
    let keys = account.keys();
    for answer in ["exit 254", "echo", "echo None"] {
        account.write("aws", &AWS.replace("cat changed", answer));
        for step in ["begin", "switch", "finish"] {
            account.run(step, "0").unwrap_err();
        }
    }
    assert_eq!(account.keys(), keys);
}

#[test]
fn a_deployment_that_is_rolled_back_stops_the_rotation() {
    let account = Account::open("rolled-back");
    account.write("outcome", "FAILED");
    let refusal = account.run("begin", "0").unwrap_err();
    assert!(refusal.contains("has not completed"), "{refusal}");
    // Some task may not have the new key, so it must not sign.
    let refusal = account.run("switch", "0").unwrap_err();
    assert!(refusal.contains("Not every task has the keys"), "{refusal}");
    assert_eq!(account.keys()[0], OLD);
    account.write("outcome", "COMPLETED");
    account.run("deploy", "0").unwrap();
    account.run("switch", "0").unwrap();
    assert_eq!(account.keys()[1], OLD);
}

#[test]
fn tasks_from_before_the_last_change_stop_the_rotation() {
    let account = Account::open("stale");
    account.write("changed", "2026-01-03T00:00:00+00:00");
    for step in ["begin", "switch", "finish"] {
        let refusal = account.run(step, "0").unwrap_err();
        assert!(refusal.contains("Not every task has the keys"), "{refusal}");
    }
    assert_eq!(account.keys(), [OLD]);
}

#[test]
fn a_leaked_key_goes_at_once() {
    let account = Account::open("leaked");
    account.write("ring", &format!("{OLD},MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"));
    // Even while the tasks are in an unknown state.
    account.write("deployment", "ecs-svc/1 FAILED 2025-01-01T00:00:00+00:00");
    let text = account.run("leaked", "43200").unwrap();
    assert!(text.contains("worthless"), "{text}");
    let keys = account.keys();
    assert!(keys.len() == 1 && keys[0] != OLD, "one new key");
}

#[test]
fn half_a_ring_is_never_stored() {
    let account = Account::open("half");
    for broken in ["", "None", "short,keys"] {
        let whole = format!("{OLD}\n");
        account.write("aws", &AWS.replace("cat ring; echo", &format!("echo '{broken}'")));
        let refusal = account.run("begin", "0").unwrap_err();
        assert!(refusal.contains("Nothing was changed"), "{refusal}");
        assert_eq!(account.read("ring"), whole.trim_end());
    }
    account.write("aws", &AWS.replace("cat ring; echo", "exit 255"));
    account.run("begin", "0").unwrap_err();
    assert_eq!(account.keys(), [OLD]);
    let refusal = account.run("switch", "0").unwrap_err();
    assert!(!refusal.contains(OLD));
}
