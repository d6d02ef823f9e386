//! Measures what the DynamoDB store adds to its requests: its commands in multiples of the SDK's
//! own `GetItem` and `PutItem` of the same item, on the same emulator.
//!
//! The first number is CPU time of this thread, without the emulator's. The second is the time
//! until the answer; it looks better than with DynamoDB nearby, because the emulator is slower.

use std::future::Future;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom::Timestamp;
use cloakroom::store::{Created, DynamoDbStore, Replaced, SessionStore, Version};
use cloakroom_benches::sessions::{entry_of, key_of, record_with};
use cloakroom_benches::{Effort, Lane, compare, is_quick};
use cloakroom_testing::ministack;
use cpu_time::ThreadTime;
use tokio::runtime::{Builder, Runtime};

const TABLE: &str = "bench";

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = client(&runtime.block_on(ministack::endpoint()));
    let store = DynamoDbStore::builder(client.clone()).table(TABLE).build().expect("a store");
    runtime.block_on(store.ensure_table()).expect("a table");
    println!("in multiples of the SDK's own request of the same item\n");
    println!("record       load, CPU   load, time   replace, CPU   replace, time");
    for (number, bytes) in [400, 2 << 10, 6 << 10, 100 << 10].into_iter().enumerate() {
        let bench = Bench { runtime: &runtime, client: &client, store: &store, number, bytes };
        let [load, replace] = [bench.loads(), bench.replaces()];
        println!(
            "{bytes:>8} B {:>9.2} {:>12.2} {:>14.2} {:>15.2}",
            load.0, load.1, replace.0, replace.1
        );
    }
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

fn effort() -> Effort {
    match is_quick() {
        true => Effort { rounds: 3, batch: 4 },
        false => Effort { rounds: 100, batch: 8 },
    }
}

struct Bench<'a> {
    runtime: &'a Runtime,
    client: &'a Client,
    store: &'a DynamoDbStore,
    number: usize,
    bytes: usize,
}

/// The CPU time and the time of a store's command, in multiples of the SDK's request.
type Multiples = (f64, f64);

impl Bench<'_> {
    fn loads(&self) -> Multiples {
        let key = key_of(self.number);
        let record = record_with(self.bytes);
        let entry = entry_of(0, &record, Timestamp::MAX);
        let created = self.runtime.block_on(self.store.create(&key, &entry));
        assert!(matches!(created, Ok(Created::Done(_))));
        let id = AttributeValue::B(Blob::new(key.as_bytes()));
        let raw = async || {
            let request = self.client.get_item().table_name(TABLE).consistent_read(true);
            let answer = request.key("id", id.clone()).send().await;
            assert!(answer.expect("it answers").item.is_some());
        };
        let ours = async || {
            assert!(self.store.load(&key).await.expect("it answers").is_some());
        };
        self.multiples(raw, ours)
    }

    fn replaces(&self) -> Multiples {
        let key = key_of(self.number);
        let record = record_with(self.bytes);
        let get = self.client.get_item().table_name(TABLE);
        let get = get.key("id", AttributeValue::B(Blob::new(key.as_bytes()))).send();
        let item = self.runtime.block_on(get).expect("it answers").item.expect("it is there");
        let raw = async || {
            let request = self.client.put_item().table_name(TABLE);
            request.set_item(Some(item.clone())).send().await.expect("it answers");
        };
        // Each write has the same version. So the SDK's own request, which compares nothing, leaves
        // the item that the store's next request expects.
        let entry = entry_of(0, &record, Timestamp::MAX);
        let expected = Version::from(entry.commit);
        let ours = async || {
            let replaced = self.store.replace(&key, &expected, &entry).await;
            assert!(matches!(replaced, Ok(Replaced::Done(_))), "nobody else writes this one");
        };
        self.multiples(raw, ours)
    }

    fn multiples<R, O>(&self, raw: impl Fn() -> R, ours: impl Fn() -> O) -> Multiples
    where
        R: Future<Output = ()>,
        O: Future<Output = ()>,
    {
        let cpu = {
            let mut lanes = [self.lane(cpu_time, &raw), self.lane(cpu_time, &ours)];
            compare(&mut lanes, effort())[1]
        };
        let mut lanes = [self.lane(time, &raw), self.lane(time, &ours)];
        (cpu, compare(&mut lanes, effort())[1])
    }

    fn lane<'a, F: Future<Output = ()>>(
        &'a self,
        measure: fn(&mut dyn FnMut()) -> Duration,
        work: &'a impl Fn() -> F,
    ) -> Lane<'a> {
        Box::new(move |batch| {
            measure(&mut || {
                self.runtime.block_on(async {
                    for _ in 0..batch {
                        work().await;
                    }
                });
            })
        })
    }
}

fn cpu_time(work: &mut dyn FnMut()) -> Duration {
    let start = ThreadTime::now();
    work();
    start.elapsed()
}

fn time(work: &mut dyn FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
