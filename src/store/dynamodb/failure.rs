//! Classifies the errors of the SDK: was the command certainly not applied, or may it have been?

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use hyper_util::client::legacy;

use super::retries::THROTTLING_CODES;
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The codes of refusals other than throttling. Any other 4xx means that the request itself is wrong:
/// either it is this library's mistake, or the table is not the one that the options describe.
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
    // This client may not use the key that encrypts the table.
    ("KMSAccessDeniedException", StoreErrorKind::Denied),
    ("ReplicatedWriteConflictException", StoreErrorKind::Unavailable),
    ("TransactionConflictException", StoreErrorKind::Unavailable),
    ("TransactionInProgressException", StoreErrorKind::Unavailable),
    ("ResourceNotFoundException", StoreErrorKind::Misconfigured),
];

/// The error that is kept as the source. It leaves out the raw response, whose `Debug` would show the
/// bytes of a session.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed")]
struct OperationFailed {
    operation: &'static str,
    #[source]
    source: BoxError,
}

/// Classifies the error of one request.
pub(super) fn classify<E>(operation: &'static str, error: SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let not_applied = match &error {
        SdkError::ConstructionFailure(_) => Some(StoreErrorKind::Misconfigured),
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().and_then(|error| never_sent(error))
        }
        SdkError::ServiceError(answer) => refused(answer.raw().status().as_u16(), answer.err()),
        // No answer came back, or one that cannot be read.
        _ => None,
    };
    let source = error.into_source().unwrap_or_else(|_| "the SDK gave no reason".into());
    let source = OperationFailed { operation, source };
    match not_applied {
        Some(kind) => Failure::not_applied(kind, source),
        None => Failure::indeterminate(source),
    }
}

/// Returns the kind of an error which proves that the request was never sent.
///
/// The SDK reports a connection that could not be opened and one that broke as the same kind of
/// failure. Only hyper-util's own error in the chain tells them apart.
fn never_sent(error: &(dyn Error + 'static)) -> Option<StoreErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<legacy::Error>() {
            return error.is_connect().then_some(StoreErrorKind::Unavailable);
        }
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return Some(credentials_kind(error));
        }
        cause = error.source();
    }
    None
}

fn credentials_kind(error: &CredentialsError) -> StoreErrorKind {
    match error {
        // The source of the credentials (instance metadata, STS) does not answer.
        CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
            StoreErrorKind::Unavailable
        }
        _ => StoreErrorKind::Denied,
    }
}

/// Returns the kind of an answer which proves that the command was not applied, as every 4xx of
/// DynamoDB's own does.
///
/// A 4xx without a code comes from a proxy on the way, which may have passed the request on, so it
/// proves nothing.
fn refused(status: u16, error: &impl ProvideErrorMetadata) -> Option<StoreErrorKind> {
    let code = error.code().filter(|_| (400..500).contains(&status))?;
    if THROTTLING_CODES.contains(&code) {
        return Some(StoreErrorKind::Unavailable);
    }
    let known = REFUSALS.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind);
    Some(known.unwrap_or(StoreErrorKind::Misconfigured))
}
