//! memcached against the model of the contract, with values among others that no store of this release has written.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::MINUTE;
use cloakroom_testing::memcached::{Server, name};
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};

use super::newer_format::put;
use super::servers::{Servers, builder, open};

struct Values(Server);

#[async_trait]
impl Surroundings for Values {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let name = name(key);
        let values: [(Meddling, &[u8]); 5] = [
            (Meddling::Newer, b"\xc1\x03"),
            (Meddling::Newer, b"\xc1\xff of a newer release"),
            (Meddling::Damaged, b""),
            (Meddling::Damaged, b"\xc1\x01\x01\x01"),
            (Meddling::Damaged, b"another program's"),
        ];
        match values.get(usize::try_from(choice).unwrap() % (values.len() + 1)) {
            Some((meddling, value)) => {
                put(&self.0, &name, value);
                *meddling
            }
            None => {
                assert_eq!(self.0.ask(&format!("md {name}")), "HD");
                Meddling::Removed
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn every_answer_is_explained() {
    let (server, clock) = (Server::start(), ManualClock::at(Clock::system().now()));
    let connect = async || {
        let builder = builder().clock(clock.clone()).command_timeout(2 * MINUTE);
        Arc::new(open(builder, &server.servers()).await) as Arc<dyn SessionStore>
    };
    let subject = Subject::new([connect().await, connect().await], &clock);
    compare(&subject, &Values(server), 50).await;
}
