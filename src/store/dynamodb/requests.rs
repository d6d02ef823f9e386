//! The four requests that the store makes.

use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException as LostCondition;
use aws_sdk_dynamodb::types::{
    ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};

use super::capacity::Counters;
use super::condition::Condition;
use super::failure;
use super::item::{self, Item};
use crate::error::StoreError;
use crate::id::StoreKey;

const WITH_THE_ITEM: ReturnValuesOnConditionCheckFailure =
    ReturnValuesOnConditionCheckFailure::AllOld;

pub(super) struct Requests {
    pub(super) table: String,
    /// The name of the key's attribute.
    pub(super) id: String,
    /// Repeats whatever the SDK thinks worth repeating.
    pub(super) reads: Client,
    /// Repeats only what is known not to have been applied.
    pub(super) writes: Client,
    pub(super) counters: Option<Counters>,
}

/// What became of a conditional write.
pub(super) enum Settled {
    Applied,
    /// The condition does not hold for what is there.
    Refused(Option<Item>),
}

impl Requests {
    pub(super) async fn get(
        &self,
        key: &StoreKey,
        consistent: bool,
    ) -> Result<Option<Item>, StoreError> {
        let request = self.reads.get_item().table_name(&self.table).consistent_read(consistent);
        let request = request.key(&self.id, item::binary(key.as_bytes()));
        let answer = request.set_return_consumed_capacity(self.count()).send().await;
        let answer = answer.map_err(|error| failure::of_a_read("GetItem", error))?;
        if let Some(counters) = &self.counters {
            counters.add_read(answer.consumed_capacity());
        }
        Ok(answer.item)
    }

    pub(super) async fn put(&self, item: Item, only_if: Condition) -> Result<Settled, StoreError> {
        let request = self.writes.put_item().table_name(&self.table).set_item(Some(item));
        let answer = request
            .condition_expression(only_if.expression)
            .set_expression_attribute_names(Some(only_if.names))
            .set_expression_attribute_values(Some(only_if.values))
            .return_values_on_condition_check_failure(WITH_THE_ITEM)
            .set_return_consumed_capacity(self.count())
            .send()
            .await;
        let answer = answer.map(|applied| applied.consumed_capacity);
        self.settled("PutItem", answer, |error| match error {
            PutItemError::ConditionalCheckFailedException(lost) => Some(lost),
            _ => None,
        })
    }

    pub(super) async fn update(
        &self,
        key: &StoreKey,
        update: &str,
        only_if: Condition,
    ) -> Result<Settled, StoreError> {
        let request = self.writes.update_item().table_name(&self.table);
        let answer = request
            .key(&self.id, item::binary(key.as_bytes()))
            .update_expression(update)
            .condition_expression(only_if.expression)
            .set_expression_attribute_names(Some(only_if.names))
            .set_expression_attribute_values(Some(only_if.values))
            .return_values_on_condition_check_failure(WITH_THE_ITEM)
            .set_return_consumed_capacity(self.count())
            .send()
            .await;
        let answer = answer.map(|applied| applied.consumed_capacity);
        self.settled("UpdateItem", answer, |error| match error {
            UpdateItemError::ConditionalCheckFailedException(lost) => Some(lost),
            _ => None,
        })
    }

    pub(super) async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let request = self.writes.delete_item().table_name(&self.table);
        let request = request.key(&self.id, item::binary(key.as_bytes()));
        let answer = request.set_return_consumed_capacity(self.count()).send().await;
        let answer = answer.map_err(|error| failure::of_a_write("DeleteItem", error))?;
        self.count_write(answer.consumed_capacity());
        Ok(())
    }

    fn settled<E>(
        &self,
        operation: &'static str,
        answer: Result<Option<ConsumedCapacity>, SdkError<E>>,
        lost: impl FnOnce(E) -> Option<LostCondition>,
    ) -> Result<Settled, StoreError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match answer {
            Ok(consumed) => {
                self.count_write(consumed.as_ref());
                Ok(Settled::Applied)
            }
            Err(SdkError::ServiceError(answer))
                if answer.err().code() == Some("ConditionalCheckFailedException") =>
            {
                Ok(Settled::Refused(lost(answer.into_err()).and_then(|lost| lost.item)))
            }
            Err(error) => Err(failure::of_a_write(operation, error)),
        }
    }

    fn count(&self) -> Option<ReturnConsumedCapacity> {
        self.counters.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    fn count_write(&self, consumed: Option<&ConsumedCapacity>) {
        if let Some(counters) = &self.counters {
            counters.add_write(consumed);
        }
    }
}
