//! The access rules that the guide gives for users are sufficient, and no command in them is
//! unnecessary.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cloakroom::store::conformance::{Harness, run_all};
use cloakroom::store::{
    CommitId, NewEntry, RedisServer, RedisStoreBuilder, SessionStore, StoreError, StoreErrorKind,
    StoreKey, Version,
};
use cloakroom::{Clock, Timestamp};

use super::conformance::Topology;
use super::setup::{builder, store};
use cloakroom_testing::redis::{Cluster, Flavour, Node, Sentinel, Standalone};
use cloakroom_testing::{MINUTE, all};

const GUIDE: &str = include_str!("../../docs/elasticache.md");
const USER: &str = "shop";
const PASSWORD: &str = "correct-horse";

/// Returns the rule under this heading of the guide.
fn rule(heading: &str) -> Vec<&'static str> {
    let mut lines = GUIDE.lines().skip_while(|line| line.trim() != heading).skip(1);
    let rule = lines.next().unwrap_or_else(|| panic!("the guide has no rule {heading:?}"));
    rule.split_whitespace().collect()
}

fn rule_for_one_primary() -> Vec<&'static str> {
    rule("# one primary")
}

fn rule_for_a_cluster() -> Vec<&'static str> {
    rule("# a cluster, ElastiCache Serverless included")
}

/// Returns the rule with a command that the guide tells users to add for an option.
fn rule_for_one_primary_and(command: &'static str) -> Vec<&'static str> {
    let listed = format!("- `{command}` ");
    assert!(GUIDE.lines().any(|line| line.starts_with(&listed)), "not in the guide: {command}");
    [rule_for_one_primary(), vec![command]].concat()
}

/// Gives the user this rule and no other right.
fn grant(node: &Node, rule: &[&str]) {
    let password = format!(">{PASSWORD}");
    node.ask(&[&["ACL", "SETUSER", USER, "reset", &password], rule].concat()).ok();
    node.ask(&["ACL", "LOG", "RESET"]).ok();
}

/// Returns the commands that the server refused to the user.
fn refused(node: &Node) -> Vec<String> {
    let log = node.ask(&["ACL", "LOG"]);
    let object = |entry: &cloakroom_testing::redis::Reply| {
        let fields = entry.list().chunks_exact(2);
        let mut objects = fields.filter(|field| field[0].text() == "object");
        objects.next().map(|field| field[1].text()).unwrap()
    };
    log.list().iter().map(object).collect()
}

/// Returns whether these are only the two commands that the client library tries and can do without.
fn are_optional(refused: &[String]) -> bool {
    // Redis 6 notes no subcommand.
    let known = ["client|id", "client", "info"];
    refused.iter().all(|command| known.contains(&&**command))
}

fn assert_only_optional_commands(refused: &[String]) {
    assert!(are_optional(refused), "{refused:?}");
}

struct Limited<T>(T);

impl<T: Topology> Limited<T> {
    fn server(&self) -> RedisServer {
        self.0.server().credentials(USER, PASSWORD)
    }
}

#[async_trait]
impl<T: Topology> Harness for Limited<T> {
    async fn open(&self) -> Arc<dyn SessionStore> {
        Arc::new(store(&self.server()).await)
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        None
    }
}

async fn keeps_every_law<T: Topology>(harness: &Limited<T>) {
    let verdicts = run_all(harness).await;
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 40, "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn one_primary_keeps_every_law_for_the_user_of_the_guide() {
    all(Flavour::available().iter().map(async |&flavour| {
        let limited = Limited(Standalone::start(flavour));
        grant(&limited.0, &rule_for_one_primary());
        keeps_every_law(&limited).await;
        assert_only_optional_commands(&refused(&limited.0));
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_keeps_every_law_for_the_user_of_the_guide() {
    let limited = Limited(Cluster::start(Flavour::Redis7));
    limited.0.nodes().iter().for_each(|node| grant(node, &rule_for_a_cluster()));
    keeps_every_law(&limited).await;
    for node in limited.0.nodes() {
        assert_only_optional_commands(&refused(node));
    }
}

fn entry(commit: u8, lives: Duration) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(lives);
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, "bytes")
}

/// Sends every command, each script with its text.
async fn use_every_command(
    builder: RedisStoreBuilder,
    server: &RedisServer,
    node: &Node,
) -> Result<(), StoreError> {
    node.ask(&["SCRIPT", "FLUSH"]).ok();
    let begun = Instant::now();
    let store = loop {
        match builder.clone().connect(server).await {
            // It was slow, and has refused nothing that is needed.
            Err(error)
                if error.kind() == StoreErrorKind::Unavailable
                    && are_optional(&refused(node))
                    && begun.elapsed() < MINUTE => {}
            connected => break connected?,
        }
    };
    let key = StoreKey::from_bytes([7; 32]);
    store.create(&key, &entry(1, MINUTE)).await?;
    let version = Version::from(CommitId::from_bytes([1; 8]));
    store.touch(&key, &version, entry(1, 2 * MINUTE).deadline).await?;
    store.replace(&key, &version, &entry(2, MINUTE)).await?;
    store.load(&key).await?;
    // The first of these goes alone, the others are gathered.
    for loaded in all((0..3).map(|_| store.load(&key))).await {
        loaded?;
    }
    store.delete(&key).await
}

/// On one thread all three loads are there before the first answer.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn no_command_of_the_rule_could_be_left_out() {
    let limited = Limited(Standalone::start(Flavour::Redis7));
    let (node, server): (&Node, _) = (&limited.0, limited.server());
    let rule = rule_for_one_primary();
    grant(node, &rule);
    use_every_command(builder(), &server, node).await.unwrap();
    let commands = rule.iter().filter(|word| word.starts_with('+'));
    for missing in commands.clone() {
        let rest: Vec<_> = rule.iter().copied().filter(|word| word != missing).collect();
        node.ask(&["FLUSHALL"]).ok();
        grant(node, &rest);
        let used = use_every_command(builder(), &server, node).await;
        let is_missed = refused(node).contains(&missing.trim_start_matches('+').to_owned());
        assert!(is_missed, "{missing} is not needed");
        // Without it every load goes alone.
        assert_eq!(used.is_ok(), *missing == "+mget", "{missing}: {used:?}");
    }
    assert_eq!(commands.count(), 9);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn no_command_that_a_cluster_adds_could_be_left_out() {
    let limited = Limited(Cluster::start(Flavour::Redis7));
    let nodes: Vec<&Node> = limited.0.nodes().iter().map(|member| &**member).collect();
    let rule = rule_for_a_cluster();
    let added: Vec<_> = rule.iter().filter(|word| !rule_for_one_primary().contains(word)).collect();
    for missing in added.iter().filter(|word| ***word != "+asking") {
        let rest: Vec<_> = rule.iter().copied().filter(|word| word != *missing).collect();
        nodes.iter().for_each(|node| grant(node, &rest));
        let connected = builder().connect(&limited.server()).await;
        assert!(connected.is_err(), "{missing} is not needed");
    }
    assert_eq!(added.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_slot_that_moves_takes_the_right_to_ask() {
    let limited = Limited(Cluster::start(Flavour::Redis7));
    let nodes: Vec<&Node> = limited.0.nodes().iter().map(|member| &**member).collect();
    let rule = rule_for_a_cluster();
    nodes.iter().for_each(|node| grant(node, &rule));
    let store = store(&limited.server()).await;
    let key = StoreKey::from_bytes([7; 32]);
    let slot = limited.0.slot_of(&format!("cloakroom:{}", "07".repeat(32)));
    limited.0.begin_move(slot);
    store.load(&key).await.unwrap();
    for &node in &nodes {
        assert_only_optional_commands(&refused(node));
        grant(node, &rule.iter().copied().filter(|word| *word != "+asking").collect::<Vec<_>>());
    }
    store.load(&key).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn waiting_for_replicas_takes_a_right_of_its_own() {
    let limited = Limited(Standalone::start(Flavour::Redis7));
    let (node, server): (&Node, _) = (&limited.0, limited.server());
    let waits = || builder().wait_for_replicas(0, MINUTE);
    grant(node, &rule_for_one_primary());
    use_every_command(waits(), &server, node).await.unwrap();
    assert!(refused(node).contains(&"wait".to_owned()));
    grant(node, &rule_for_one_primary_and("+wait"));
    use_every_command(waits(), &server, node).await.unwrap();
    assert_only_optional_commands(&refused(node));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_numbered_database_takes_a_right_of_its_own() {
    let limited = Limited(Standalone::start(Flavour::Redis7));
    let (node, server): (&Node, _) = (&limited.0, limited.server().database(1));
    grant(node, &rule_for_one_primary());
    assert!(use_every_command(builder(), &server, node).await.is_err());
    grant(node, &rule_for_one_primary_and("+select"));
    use_every_command(builder(), &server, node).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_primary_known_to_sentinels_takes_a_right_of_its_own() {
    let limited = Limited(Sentinel::start(Flavour::Redis7));
    let (node, server) = (limited.0.primary(), limited.server());
    grant(node, &rule_for_one_primary());
    assert!(use_every_command(builder(), &server, node).await.is_err());
    grant(node, &rule_for_one_primary_and("+role"));
    use_every_command(builder(), &server, node).await.unwrap();
}
