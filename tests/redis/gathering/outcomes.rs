//! Every call on everything that may be under a key, alone and gathered.

use cloakroom::store::{NewEntry, RedisStore, SessionStore, StoreError, StoreErrorKind};
use cloakroom::{Clock, ManualClock};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ConnectionConfig, ServerConfig};

use super::super::setup::builder;
use super::{commit, entry, key, keys, name, version, warm_store_on, warm_up};
use cloakroom_testing::processes::wait_until;
use cloakroom_testing::redis::{Flavour, Reply, Standalone};
use cloakroom_testing::{MINUTE, all};

/// What a server has under a key.
#[derive(Clone, Copy, Debug)]
enum Place {
    Nothing,
    Live,
    OfAnotherVersion,
    PastItsDeadline,
    Text(&'static str),
    List,
    OfANewerFormat,
}

const PLACES: [Place; 9] = [
    // In front, because the client library takes some lists that begin with this for published messages.
    Place::Text("message"),
    Place::Nothing,
    Place::Live,
    Place::OfAnotherVersion,
    Place::PastItsDeadline,
    Place::Text(""),
    Place::Text("the value of another program"),
    Place::List,
    Place::OfANewerFormat,
];

#[derive(Clone, Copy, Debug)]
enum Call {
    Load,
    Create,
    Replace,
    Touch,
    TouchToAnEarlierTime,
}

const CALLS: [Call; 5] =
    [Call::Load, Call::Create, Call::Replace, Call::Touch, Call::TouchToAnEarlierTime];

/// A store with a clock of its own, and everything that it is tried on.
struct Trial<'a> {
    server: &'a Standalone,
    clock: ManualClock,
    store: RedisStore,
}

impl<'a> Trial<'a> {
    /// Over a client that stays connected to a server that is no primary any more.
    async fn on(server: &'a Standalone) -> Self {
        let (clock, config) = (
            ManualClock::at(Clock::system().now()),
            Config {
                server: ServerConfig::new_centralized("127.0.0.1", server.port),
                ..Config::default()
            },
        );
        let connection = ConnectionConfig { reconnect_errors: Vec::new(), ..Default::default() };
        let client = Client::new(config, None, Some(connection), None);
        client.init().await.unwrap();
        let store = builder().clock(clock.clone()).build_with_client(&client).unwrap();
        Self { server, clock, store }
    }

    fn entry(&self, number: u8) -> NewEntry {
        NewEntry::new(commit(number), self.clock.now().saturating_add(30 * MINUTE), "bytes")
    }

    /// Puts something under a key, as it is when `prepared` minutes have passed.
    async fn put(&self, number: usize, place: Place) {
        let (store, key, name) = (&self.store, key(number), name(number));
        let create = async |entry: NewEntry| {
            store.create(&key, &entry).await.unwrap();
        };
        match place {
            Place::Nothing => {}
            Place::Live => create(self.entry(1)).await,
            Place::OfAnotherVersion => create(self.entry(2)).await,
            Place::PastItsDeadline => {
                let deadline = self.clock.now().saturating_add(MINUTE);
                create(NewEntry::new(commit(1), deadline, "bytes")).await;
                self.server.ask(&["PERSIST", &name]);
            }
            Place::Text(text) => self.server.ask(&["SET", &name, text]).ok(),
            Place::List => drop(self.server.ask(&["LPUSH", &name, "item"])),
            Place::OfANewerFormat => {
                let words: [&[u8]; 3] = [b"SET", name.as_bytes(), b"\xc1\x02of a newer release"];
                self.server.door().open().unwrap().ask(&words).unwrap().ok();
            }
        }
    }

    async fn call(&self, number: usize, call: Call) -> Result<String, (StoreErrorKind, String)> {
        let (store, key) = (&self.store, key(number));
        let deadline = |minutes| self.clock.now().saturating_add(minutes * MINUTE);
        let told = |error: StoreError| (error.kind(), error.to_string());
        match call {
            Call::Load => store.load(&key).await.map(|found| format!("{found:?}")),
            Call::Create => {
                store.create(&key, &self.entry(3)).await.map(|done| format!("{done:?}"))
            }
            Call::Replace => {
                let replaced = store.replace(&key, &version(1), &self.entry(3)).await;
                replaced.map(|done| format!("{done:?}"))
            }
            Call::Touch => {
                let touched = store.touch(&key, &version(1), deadline(60)).await;
                touched.map(|done| format!("{done:?}"))
            }
            Call::TouchToAnEarlierTime => {
                let touched = store.touch(&key, &version(1), deadline(10)).await;
                touched.map(|done| format!("{done:?}"))
            }
        }
        .map_err(told)
    }

    /// What is under a key, and whether it has a time to live.
    fn find(&self, number: usize) -> (String, bool) {
        let value = match self.server.ask(&["TYPE", &name(number)]).text().as_str() {
            "string" => match self.server.ask(&["GET", &name(number)]) {
                Reply::Bytes(value) => format!("{value:x?}"),
                other => format!("{other:?}"),
            },
            other => other.to_owned(),
        };
        (value, self.server.ask(&["PTTL", &name(number)]).integer() > 0)
    }
}

/// Every call on every place, alone and gathered, with a server that `changes` in between.
async fn has_one_outcome(server: &Standalone, calls: &[Call], changes: impl Fn(&Standalone)) {
    let trial = Trial::on(server).await;
    warm_up(server, &trial.store).await;
    let cases: Vec<_> =
        PLACES.iter().flat_map(|place| calls.iter().map(|call| (*place, *call))).collect();
    let gathered_at = 100;
    for (number, (place, _)) in cases.iter().enumerate() {
        trial.put(number, *place).await;
        trial.put(gathered_at + number, *place).await;
    }
    trial.clock.advance(2 * MINUTE);
    changes(server);
    let mut alone = Vec::new();
    for (number, (_, call)) in cases.iter().enumerate() {
        alone.push(trial.call(number, *call).await);
    }
    // The first of each kind goes alone.
    let first = [Call::Load, Call::Create].map(|call| trial.call(99, call));
    let rest = cases.iter().enumerate();
    let rest = rest.map(|(number, (_, call))| trial.call(gathered_at + number, *call));
    let mut monitor = server.monitor();
    let outcomes = all(first.into_iter().map(Box::pin).chain(rest.map(Box::pin))).await;
    let commands = monitor.count();
    let gathered = &outcomes[2..];
    for (number, case) in cases.iter().enumerate() {
        assert_eq!(gathered[number], alone[number], "{case:?}");
        assert_eq!(trial.find(gathered_at + number), trial.find(number), "{case:?}");
    }
    let scripts = commands.iter().filter(|(name, _)| name.starts_with("EVAL"));
    let scripts: usize = scripts.map(|(_, count)| count).sum();
    let loads = calls.iter().filter(|call| matches!(call, Call::Load)).count();
    assert!(scripts <= 5, "{commands:?}");
    assert_eq!(commands.get("MGET"), (loads > 0).then_some(&1), "{commands:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_gathered_call_has_the_outcome_that_it_would_have_alone() {
    for &flavour in Flavour::available() {
        has_one_outcome(&Standalone::start(flavour), &CALLS, |_| {}).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_full_server_refuses_gathered_calls_as_it_does_each_alone() {
    for &flavour in Flavour::available() {
        // A touch is allowed on a full server, and after its first write a script may go on with others.
        for calls in [&CALLS[..3], &CALLS[3..]] {
            has_one_outcome(&Standalone::start(flavour), calls, |server| {
                server.ask(&["CONFIG", "SET", "maxmemory", "1"]).ok();
            })
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_demoted_server_refuses_gathered_calls_as_it_does_each_alone() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        has_one_outcome(&server, &CALLS, |server| {
            server.ask(&["REPLICAOF", "127.0.0.1", "1"]).ok();
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_without_a_right_is_refused_gathered_calls_as_each_alone() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        has_one_outcome(&server, &CALLS, |server| {
            server.ask(&["ACL", "SETUSER", "default", "-setrange"]).ok();
        })
        .await;
    }
}

/// One refusal among the gathered ones is enough to look for the new primary.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_refusal_in_a_gathered_command_is_a_demotion_too() {
    let server = Standalone::start(Flavour::Redis7);
    let store = warm_store_on(&server).await;
    all(keys(8).map(async |key| store.create(&key, &entry(1, "bytes")).await.unwrap())).await;
    let before = server.clients();
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]).ok();
    all(keys(8).map(async |key| {
        let error = store.replace(&key, &version(1), &entry(2, "new")).await.unwrap_err();
        assert_ne!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    }))
    .await;
    wait_until("another connection", || server.clients() != before);
}
