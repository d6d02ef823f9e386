//! The four requests that the store sends.

use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException as LostCondition;
use aws_sdk_dynamodb::types::{
    ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use tracing::Instrument;

use super::capacity::CapacityCounters;
use super::condition::Condition;
use super::failure::classify;
use super::item::{self, Item};
use super::location::Location;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::failure::Failure;

/// Asks for the item that is there when the condition does not hold, so that a merge needs no read.
const RETURN_ITEM: ReturnValuesOnConditionCheckFailure =
    ReturnValuesOnConditionCheckFailure::AllOld;

pub(super) struct Requests {
    pub(super) location: Location,
    /// The name of the key's attribute.
    pub(super) id: String,
    /// Repeats whatever the SDK would repeat.
    pub(super) reads: Client,
    /// Repeats only a request that was certainly not applied.
    pub(super) writes: Client,
    pub(super) counters: Option<CapacityCounters>,
}

/// The outcome of a conditional write.
pub(super) enum WriteOutcome {
    Applied,
    /// The condition does not hold. This is the item that is there.
    ConditionFailed(Option<Item>),
}

impl Requests {
    pub(super) async fn get(
        &self,
        key: &StoreKey,
        consistent: bool,
    ) -> Result<Option<Item>, StoreError> {
        let request =
            self.reads.get_item().table_name(&self.location.table).consistent_read(consistent);
        let request = request.key(&self.id, item::binary(key.as_bytes()));
        let request = request.set_return_consumed_capacity(self.wanted_capacity());
        let answer = in_own_task(request.send()).await;
        let answer = answer.map_err(|error| self.failure("GetItem", error).for_read())?;
        if let Some(counters) = &self.counters {
            counters.add_read(answer.consumed_capacity());
        }
        Ok(answer.item)
    }

    pub(super) async fn put(
        &self,
        item: Item,
        condition: Condition,
    ) -> Result<WriteOutcome, StoreError> {
        let request = self.writes.put_item().table_name(&self.location.table).set_item(Some(item));
        let request = request
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .return_values_on_condition_check_failure(RETURN_ITEM)
            .set_return_consumed_capacity(self.wanted_capacity());
        let answer = in_own_task(request.send()).await;
        let answer = answer.map(|applied| applied.consumed_capacity);
        self.outcome("PutItem", answer, |error| match error {
            PutItemError::ConditionalCheckFailedException(lost) => Some(lost),
            _ => None,
        })
    }

    pub(super) async fn update(
        &self,
        key: &StoreKey,
        update: &str,
        condition: Condition,
    ) -> Result<WriteOutcome, StoreError> {
        let request = self.writes.update_item().table_name(&self.location.table);
        let request = request
            .key(&self.id, item::binary(key.as_bytes()))
            .update_expression(update)
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .return_values_on_condition_check_failure(RETURN_ITEM)
            .set_return_consumed_capacity(self.wanted_capacity());
        let answer = in_own_task(request.send()).await;
        let answer = answer.map(|applied| applied.consumed_capacity);
        self.outcome("UpdateItem", answer, |error| match error {
            UpdateItemError::ConditionalCheckFailedException(lost) => Some(lost),
            _ => None,
        })
    }

    pub(super) async fn delete(
        &self,
        key: &StoreKey,
        condition: Condition,
    ) -> Result<WriteOutcome, StoreError> {
        let request = self.writes.delete_item().table_name(&self.location.table);
        let request = request
            .key(&self.id, item::binary(key.as_bytes()))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(Some(condition.names))
            .return_values_on_condition_check_failure(RETURN_ITEM)
            .set_return_consumed_capacity(self.wanted_capacity());
        let answer = in_own_task(request.send()).await;
        let answer = answer.map(|applied| applied.consumed_capacity);
        self.outcome("DeleteItem", answer, |error| match error {
            DeleteItemError::ConditionalCheckFailedException(lost) => Some(lost),
            _ => None,
        })
    }

    fn outcome<E>(
        &self,
        operation: &'static str,
        answer: Result<Option<ConsumedCapacity>, SdkError<E>>,
        lost: impl FnOnce(E) -> Option<LostCondition>,
    ) -> Result<WriteOutcome, StoreError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match answer {
            Ok(consumed) => {
                self.count_write(consumed.as_ref());
                Ok(WriteOutcome::Applied)
            }
            Err(SdkError::ServiceError(answer))
                if answer.err().code() == Some("ConditionalCheckFailedException") =>
            {
                Ok(WriteOutcome::ConditionFailed(
                    lost(answer.into_err()).and_then(|lost| lost.item),
                ))
            }
            Err(error) => Err(self.failure(operation, error).for_write()),
        }
    }

    /// Classifies an error and names the table in it.
    pub(super) fn failure<E>(&self, operation: &'static str, error: SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        classify(operation, error).at(self.location.to_string())
    }

    fn wanted_capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.counters.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    fn count_write(&self, consumed: Option<&ConsumedCapacity>) {
        if let Some(counters) = &self.counters {
            counters.add_write(consumed);
        }
    }
}

/// Sends a request in a task of its own. If the future is dropped, the task goes on: the request may be
/// under way, and its end is bounded by the SDK's time-outs.
///
/// The SDK lets one request fetch the credentials for all that come meanwhile, and it counts repeats
/// against one budget. A request that was sent here, by a future which nobody polls any more, would keep
/// both from everybody else.
async fn in_own_task<T, E>(
    sending: impl Future<Output = Result<T, SdkError<E>>> + Send + 'static,
) -> Result<T, SdkError<E>>
where
    T: Send + 'static,
    E: Send + 'static,
{
    match tokio::spawn(sending.in_current_span()).await {
        Ok(answer) => answer,
        // The runtime ended the task: no answer, as after a time-out.
        Err(ended) => Err(SdkError::timeout_error(ended)),
    }
}
