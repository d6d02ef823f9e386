//! The table, for development. In production it is made by whoever is allowed to make tables.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveSpecification,
};

use super::{DynamoDbStore, failure};
use crate::error::{StoreError, StoreErrorKind};

const PAUSE: Duration = Duration::from_millis(200);
/// DynamoDB takes some ten seconds for a new table.
const LOOKS: u32 = 300;

impl DynamoDbStore {
    /// Creates the table if there is none, waits until it is active, and has DynamoDB remove expired
    /// items. **For development**: it takes permissions that an app should not have. The
    /// [guide](crate::guide::dynamodb) has the table's definition for production.
    ///
    /// A table that is made here is billed by the request. Capacity, encryption and backups of one
    /// that is there stay as they are. A warning is traced when a table is created.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) when the table that is there has another
    /// key, or lets its items expire by another attribute; otherwise as for every command. A table
    /// that is not active within a minute is [`Unavailable`](StoreErrorKind::Unavailable).
    pub async fn ensure_table(&self) -> Result<(), StoreError> {
        self.create_table().await?;
        let table = self.active_table().await?;
        if !self.has_our_key(&table) {
            return Err(misconfigured(format!(
                "the table's key must be one binary hash key `{}`",
                self.0.names.id
            )));
        }
        self.enable_ttl().await
    }

    async fn create_table(&self) -> Result<(), StoreError> {
        let id = &self.0.names.id;
        let key = KeySchemaElement::builder().attribute_name(id).key_type(KeyType::Hash);
        let binary = AttributeDefinition::builder()
            .attribute_name(id)
            .attribute_type(ScalarAttributeType::B);
        let request = self.0.client.create_table().table_name(&self.0.requests.table);
        let created = request
            .key_schema(key.build().map_err(unbuilt)?)
            .attribute_definitions(binary.build().map_err(unbuilt)?)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match created {
            Ok(_) => {
                let table = self.0.requests.table.as_str();
                tracing::warn!(table, "created a DynamoDB table for development");
                Ok(())
            }
            Err(SdkError::ServiceError(answer)) if is_there(answer.err()) => Ok(()),
            Err(error) => Err(failure::of_a_write("CreateTable", error)),
        }
    }

    async fn active_table(&self) -> Result<TableDescription, StoreError> {
        for _ in 0..LOOKS {
            let request = self.0.client.describe_table().table_name(&self.0.requests.table);
            match request.send().await {
                Ok(answer) => match answer.table {
                    Some(table) if table.table_status == Some(TableStatus::Active) => {
                        return Ok(table);
                    }
                    _ => {}
                },
                // A table that was made a moment ago is not known everywhere yet.
                Err(SdkError::ServiceError(answer))
                    if answer.err().is_resource_not_found_exception() => {}
                Err(error) => return Err(failure::of_a_read("DescribeTable", error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, "the table does not become active"))
    }

    fn has_our_key(&self, table: &TableDescription) -> bool {
        let id = self.0.names.id.as_str();
        let [key] = table.key_schema() else { return false };
        let is_binary = |attribute: &AttributeDefinition| {
            attribute.attribute_name() == id && attribute.attribute_type == ScalarAttributeType::B
        };
        key.attribute_name() == id && table.attribute_definitions().iter().any(is_binary)
    }

    async fn enable_ttl(&self) -> Result<(), StoreError> {
        let ttl = self.0.names.ttl.as_str();
        let table = &self.0.requests.table;
        match self.ttl_there().await?.as_deref() {
            Some(attribute) if attribute == ttl => return Ok(()),
            Some(_) => return Err(misconfigured("the table's items expire by another attribute")),
            None => {}
        }
        let wanted = TimeToLiveSpecification::builder().enabled(true).attribute_name(ttl);
        let request = self.0.client.update_time_to_live().table_name(table);
        let sent = request.time_to_live_specification(wanted.build().map_err(unbuilt)?).send();
        let Err(error) = sent.await else { return Ok(()) };
        let refused = failure::of_a_write("UpdateTimeToLive", error);
        // Another process was quicker: a second request within the hour is refused.
        if self.ttl_there().await?.as_deref() == Some(ttl) { Ok(()) } else { Err(refused) }
    }

    async fn ttl_there(&self) -> Result<Option<String>, StoreError> {
        let there = self.0.client.describe_time_to_live().table_name(&self.0.requests.table);
        let there = there.send().await;
        let there = there.map_err(|error| failure::of_a_read("DescribeTimeToLive", error))?;
        Ok(there.time_to_live_description.and_then(|there| there.attribute_name))
    }
}

fn is_there(error: &CreateTableError) -> bool {
    error.is_resource_in_use_exception()
}

fn misconfigured(problem: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, problem.into())
}

fn unbuilt(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, error)
}
