//! Creates the table, for development. In production, whoever may create tables does that.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveSpecification,
};

use super::store::DynamoDbStore;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;

/// The pause between two looks at a new table.
const PAUSE: Duration = Duration::from_millis(200);
/// The number of looks: a minute. DynamoDB takes some ten seconds for a new table.
const MAX_LOOKS: u32 = 300;

impl DynamoDbStore {
    /// Creates the table if it is missing, waits until it is active, and has DynamoDB remove expired
    /// items. **For development**: it takes permissions that an app should not have. The
    /// [guide](crate::guide::dynamodb) has the table's definition for production.
    ///
    /// A table that is created here is billed by the request. A table that is there already keeps its
    /// capacity, encryption and backups. A warning is traced when a table is created.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) when the table that is there has another
    /// key, or lets its items expire by another attribute; otherwise as for every command. A table
    /// that is not active within a minute is [`Unavailable`](StoreErrorKind::Unavailable).
    ///
    /// ```no_run
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// # async fn open(client: aws_sdk_dynamodb::Client) -> Result<(), cloakroom::store::StoreError> {
    /// let store = DynamoDbStore::builder(client).table("sessions-dev").build()?;
    /// store.ensure_table().await?;
    /// assert!(store.check().await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("create_table", "migrate"))]
    pub async fn ensure_table(&self) -> Result<(), StoreError> {
        self.create_table().await?;
        let table = self.active_table().await?;
        if !self.has_our_key(&table) {
            let id = &self.0.names.id;
            return Err(self.misconfigured(format!(
                "the key of the table must be one binary hash key `{id}` and nothing else"
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
        let request = self.0.client.create_table().table_name(&self.0.requests.location.table);
        let created = request
            .key_schema(key.build().map_err(invalid_request)?)
            .attribute_definitions(binary.build().map_err(invalid_request)?)
            // Provisioned capacity would need figures that nobody has yet, and would be billed while the
            // table is idle.
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match created {
            Ok(_) => {
                let table = self.0.requests.location.table.as_str();
                tracing::warn!(table, "created a DynamoDB table for development");
                Ok(())
            }
            Err(SdkError::ServiceError(answer)) if already_exists(answer.err()) => Ok(()),
            Err(error) => Err(self.0.requests.failure("CreateTable", error).for_write()),
        }
    }

    async fn active_table(&self) -> Result<TableDescription, StoreError> {
        for _ in 0..MAX_LOOKS {
            let request =
                self.0.client.describe_table().table_name(&self.0.requests.location.table);
            match request.send().await {
                Ok(answer) => match answer.table {
                    Some(table) if table.table_status == Some(TableStatus::Active) => {
                        return Ok(table);
                    }
                    _ => {}
                },
                // Not every server of DynamoDB knows a table that was created a moment ago.
                Err(SdkError::ServiceError(answer))
                    if answer.err().is_resource_not_found_exception() => {}
                Err(error) => {
                    return Err(self.0.requests.failure("DescribeTable", error).for_read());
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        let problem = "the table has not become active within a minute";
        let failure = Failure::not_applied(StoreErrorKind::Unavailable, problem);
        Err(failure.at(self.0.requests.location.to_string()).for_read())
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
        let table = &self.0.requests.location.table;
        match self.ttl_attribute().await?.as_deref() {
            Some(attribute) if attribute == ttl => return Ok(()),
            Some(other) => {
                return Err(self.misconfigured(format!(
                    "the items of the table expire by the attribute `{other}`, not by `{ttl}`"
                )));
            }
            None => {}
        }
        let wanted = TimeToLiveSpecification::builder().enabled(true).attribute_name(ttl);
        let request = self.0.client.update_time_to_live().table_name(table);
        let sent =
            request.time_to_live_specification(wanted.build().map_err(invalid_request)?).send();
        let Err(error) = sent.await else { return Ok(()) };
        let refused = self.0.requests.failure("UpdateTimeToLive", error).for_write();
        // Another process may have been faster: DynamoDB refuses a second change within the hour.
        if self.ttl_attribute().await?.as_deref() == Some(ttl) { Ok(()) } else { Err(refused) }
    }

    /// Returns the name of the attribute by which items expire now.
    async fn ttl_attribute(&self) -> Result<Option<String>, StoreError> {
        let requests = &self.0.requests;
        let request = self.0.client.describe_time_to_live().table_name(&requests.location.table);
        let answer = request.send().await;
        let answer =
            answer.map_err(|error| requests.failure("DescribeTimeToLive", error).for_read())?;
        Ok(answer.time_to_live_description.and_then(|ttl| ttl.attribute_name))
    }

    fn misconfigured(&self, problem: String) -> StoreError {
        let failure = Failure::not_applied(StoreErrorKind::Misconfigured, problem);
        failure.at(self.0.requests.location.to_string()).for_read()
    }
}

fn already_exists(error: &CreateTableError) -> bool {
    error.is_resource_in_use_exception()
}

fn invalid_request(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, error)
}
