//! What an error of the SDK says about the command it was for.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use hyper_util::client::legacy;

use super::throttling;
use crate::error::{StoreError, StoreErrorKind};

/// Refusals other than throttling, by their code. What is not listed and was refused with a 4xx is
/// the request's fault: ours, or the table is not as we think.
const REFUSALS: [(&str, StoreErrorKind); 14] = [
    ("AccessDeniedException", StoreErrorKind::Denied),
    ("ExpiredTokenException", StoreErrorKind::Denied),
    ("IncompleteSignatureException", StoreErrorKind::Denied),
    ("InvalidSignatureException", StoreErrorKind::Denied),
    ("MissingAuthenticationTokenException", StoreErrorKind::Denied),
    ("NotAuthorized", StoreErrorKind::Denied),
    ("OptInRequired", StoreErrorKind::Denied),
    ("RequestExpired", StoreErrorKind::Denied),
    ("UnrecognizedClientException", StoreErrorKind::Denied),
    // The table's key (KMS) may be used by somebody else, or not at the moment.
    ("KMSAccessDeniedException", StoreErrorKind::Denied),
    ("ReplicatedWriteConflictException", StoreErrorKind::Unavailable),
    ("TransactionConflictException", StoreErrorKind::Unavailable),
    ("TransactionInProgressException", StoreErrorKind::Unavailable),
    ("ResourceNotFoundException", StoreErrorKind::Misconfigured),
];

/// The error as it is kept: without the raw response, whose `Debug` would show a session's bytes.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed")]
struct Failure {
    operation: &'static str,
    #[source]
    source: BoxError,
}

/// A command that changes nothing: there it does not matter what was lost.
pub(super) fn of_a_read<E>(operation: &'static str, error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    of(operation, error, StoreErrorKind::Unavailable)
}

pub(super) fn of_a_write<E>(operation: &'static str, error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    of(operation, error, StoreErrorKind::Indeterminate)
}

fn of<E>(operation: &'static str, error: SdkError<E>, doubt: StoreErrorKind) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::ConstructionFailure(_) => StoreErrorKind::Misconfigured,
        SdkError::DispatchFailure(failure) => {
            let connector = failure.as_connector_error();
            connector.and_then(|error| never_sent(error)).unwrap_or(doubt)
        }
        SdkError::ServiceError(answer) => {
            refused(answer.raw().status().as_u16(), answer.err()).unwrap_or(doubt)
        }
        // Nothing, or nothing that can be read, came back.
        _ => doubt,
    };
    let source = error.into_source().unwrap_or_else(|_| "of a kind that is unknown here".into());
    StoreError::new(kind, Failure { operation, source })
}

/// What the error means if it proves that the request never left.
fn never_sent(error: &(dyn Error + 'static)) -> Option<StoreErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<legacy::Error>() {
            return error.is_connect().then_some(StoreErrorKind::Unavailable);
        }
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return Some(without_credentials(error));
        }
        cause = error.source();
    }
    None
}

fn without_credentials(error: &CredentialsError) -> StoreErrorKind {
    match error {
        // Where they come from (instance metadata, STS) does not answer.
        CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
            StoreErrorKind::Unavailable
        }
        _ => StoreErrorKind::Denied,
    }
}

/// What an answer means that proves that nothing was applied, as every 4xx of DynamoDB's own does.
/// One without a code is from something in between, which may have passed the request on.
fn refused(status: u16, error: &impl ProvideErrorMetadata) -> Option<StoreErrorKind> {
    let code = error.code().filter(|_| (400..500).contains(&status))?;
    if throttling::CODES.contains(&code) {
        return Some(StoreErrorKind::Unavailable);
    }
    let known = REFUSALS.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind);
    Some(known.unwrap_or(StoreErrorKind::Misconfigured))
}
