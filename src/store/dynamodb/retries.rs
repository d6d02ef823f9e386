//! Decides when the SDK may send a write again: only after a throttling answer, which proves that the
//! attempt before was not applied.
//!
//! The SDK's defaults repeat after a time-out, a broken connection and a 5xx as well, and would apply
//! a write twice.

use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

/// The codes of answers that ask to slow down.
pub(super) const THROTTLING_CODES: [&str; 3] =
    ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"];

/// Forbids every repeat except one after throttling, whatever other classifiers say.
#[derive(Debug)]
pub(super) struct RetryOnlyThrottling;

impl ClassifyRetry for RetryOnlyThrottling {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.output_or_error() {
            Some(Err(_)) if is_throttled(context) => RetryAction::throttling_error(),
            Some(Err(_)) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "cloakroom: only after throttling"
    }
}

/// Whether the answer is a 4xx of throttling. A 5xx with such a code proves nothing: some other server
/// may have applied the write.
fn is_throttled(context: &InterceptorContext) -> bool {
    let refused = context.response().is_some_and(|answer| answer.status().is_client_error());
    refused && error_code(context).is_some_and(|code| THROTTLING_CODES.contains(&code))
}

fn error_code(context: &InterceptorContext) -> Option<&str> {
    let error = context.output_or_error()?.err()?.as_operation_error()?;
    // The SDK has erased the error's type here, so each kind of write is tried.
    let put = error.downcast_ref::<PutItemError>().map(|error| error.code());
    let update = || error.downcast_ref::<UpdateItemError>().map(|error| error.code());
    let delete = || error.downcast_ref::<DeleteItemError>().map(|error| error.code());
    put.or_else(update).or_else(delete).flatten()
}
