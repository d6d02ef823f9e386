//! An emulator in this process against the model of the contract, with damaged and removed items.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};

use crate::emulator::Table;

#[async_trait::async_trait]
impl Surroundings for Table {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let key = AttributeValue::B(Blob::new(key.as_bytes()));
        let update = || self.client().update_item().table_name(&self.name).key("id", key.clone());
        match choice % 4 {
            0 => {
                let request = self.client().delete_item().table_name(&self.name);
                request.key("id", key).send().await.unwrap();
                Meddling::Removed
            }
            1 => {
                let request = update().update_expression("SET #f = :f");
                let request = request.expression_attribute_names("#f", "f");
                let format = AttributeValue::N("2".to_owned());
                request.expression_attribute_values(":f", format).send().await.unwrap();
                Meddling::Newer
            }
            2 => {
                update().update_expression("REMOVE d").send().await.unwrap();
                Meddling::Damaged
            }
            _ => {
                let request = update().update_expression("SET d = :d");
                let text = AttributeValue::S("a text".to_owned());
                request.expression_attribute_values(":d", text).send().await.unwrap();
                Meddling::Damaged
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_explained() {
    let (table, clock) = (Table::in_process().await, ManualClock::at(Clock::system().now()));
    let open = || {
        let builder = table.store().clock(clock.clone());
        builder.command_timeout(Duration::from_secs(45)).build().unwrap()
    };
    let (west, east) = (open(), open());
    let most = west.max_entry_bytes();
    let handles: [Arc<dyn SessionStore>; 2] = [Arc::new(west), Arc::new(east)];
    compare(&Subject::new(handles, &clock).max_entry_bytes(most), &table, 5).await;
}
