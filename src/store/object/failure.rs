//! Classifies the errors of the crate `object_store`: was the request certainly not applied, or may it have been?
//!
//! The errors that are kept name the operation, the status and the server's code, and leave out the rest: the
//! crate's own texts quote the object's name and whatever the server answered.

use std::error::Error;

use object_store::Error as ObjectError;
use object_store::client::{HttpError, HttpErrorKind};

use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The crate keeps the status of an answer in a text only, after these words.
const STATUS: &str = "non-2xx status code: ";
/// The codes of refusals whose status does not say what they are. Any other 3xx or 4xx with a code means that the
/// request itself is wrong: the bucket is in another region, or this is no server of such buckets.
const CODES: [(&str, StoreErrorKind); 9] = [
    ("ExpiredToken", StoreErrorKind::Denied),
    ("InvalidToken", StoreErrorKind::Denied),
    ("TokenRefreshRequired", StoreErrorKind::Denied),
    ("InvalidAccessKeyId", StoreErrorKind::Denied),
    ("OperationAborted", StoreErrorKind::Unavailable),
    ("RequestTimeout", StoreErrorKind::Unavailable),
    ("SlowDown", StoreErrorKind::Unavailable),
    ("TooManyRequests", StoreErrorKind::Unavailable),
    ("rateLimitExceeded", StoreErrorKind::Unavailable),
];
/// The codes for a bucket that does not exist. They come with the status of an object that does not exist.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"];

/// The answer of a server, without the name of the object.
#[derive(Debug, thiserror::Error)]
#[error("{operation} was answered {status}{}", code_in_words(.code.as_deref()))]
struct Answered {
    operation: &'static str,
    status: u16,
    code: Option<String>,
}

/// A request that got no answer, or one that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed")]
struct RequestFailed {
    operation: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

fn code_in_words(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(" {code}"))
}

/// Returns whether an error says that the bucket does not exist, which servers report like an object that does not
/// exist. Taken for that, it would be the end of every session.
pub(super) fn is_missing_bucket(error: &ObjectError) -> bool {
    let text = error.to_string();
    code_in(&text).is_some_and(|code| NO_BUCKET.contains(&code))
}

/// Returns whether an error says that there were too many requests.
pub(super) fn is_throttled(error: &ObjectError) -> bool {
    status_in(&error.to_string()) == Some(429)
}

/// Classifies the error of one request.
pub(super) fn classify(operation: &'static str, error: ObjectError) -> Failure {
    use StoreErrorKind::{Denied, Misconfigured, Unavailable};
    let text = error.to_string();
    let not_applied = match &error {
        // A missing object is no error of a read, and a write needs none.
        ObjectError::NotFound { .. } => Some(Misconfigured),
        ObjectError::PermissionDenied { .. } | ObjectError::Unauthenticated { .. } => Some(Denied),
        ObjectError::AlreadyExists { .. }
        | ObjectError::Precondition { .. }
        | ObjectError::NotModified { .. } => Some(Unavailable),
        ObjectError::InvalidPath { .. }
        | ObjectError::NotImplemented { .. }
        | ObjectError::NotSupported { .. }
        | ObjectError::UnknownConfigurationKey { .. } => Some(Misconfigured),
        ObjectError::Generic { .. } => match http_error(&error) {
            // Only here does the crate's kind prove that nothing was sent. Its others, `Request` included, are
            // also those of an answer that never came.
            Some(http) => (http.kind() == HttpErrorKind::Connect).then_some(Unavailable),
            None => refused(&text),
        },
        _ => None,
    };
    let source = source(operation, error, &text);
    match not_applied {
        Some(kind) => Failure::not_applied(kind, source),
        None => Failure::indeterminate(source),
    }
}

/// Returns the kind of an answer which proves that the request was not applied.
///
/// A 5xx proves nothing, whatever its code: some other server may have applied the write. A status without a code
/// comes from a proxy on the way, which may have passed the request on.
fn refused(text: &str) -> Option<StoreErrorKind> {
    if text.contains("redirect without LOCATION") {
        return Some(StoreErrorKind::Misconfigured);
    }
    let code = code_in(text)?;
    let status = status_in(text).filter(|status| (300..500).contains(status))?;
    let known = CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind);
    let otherwise = match status {
        401 | 403 => StoreErrorKind::Denied,
        408 | 409 | 412 | 425 | 429 => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Misconfigured,
    };
    Some(known.unwrap_or(otherwise))
}

fn status_in(text: &str) -> Option<u16> {
    let (_, after) = text.split_once(STATUS)?;
    after.get(..3)?.parse().ok()
}

/// Returns the code in the XML that S3, Azure and Google answer errors with.
fn code_in(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("<Code>")?;
    let (code, _) = after.split_once("</Code>")?;
    let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then_some(code)
}

fn http_error(error: &ObjectError) -> Option<&HttpError> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn causes<'a>(error: &'a ObjectError) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// Returns the error to keep.
fn source(operation: &'static str, error: ObjectError, text: &str) -> Box<dyn Error + Send + Sync> {
    if let Some(status) = status_in(text) {
        let code = code_in(text).map(ToOwned::to_owned);
        return Box::new(Answered { operation, status, code });
    }
    // The cause of a connection's failure is below the crate's own texts.
    let cause = match http_error(&error) {
        Some(http) => chain(http),
        None => match &error {
            ObjectError::AlreadyExists { .. } => "an object is there already".to_owned(),
            ObjectError::Precondition { .. } => "the object is another one".to_owned(),
            ObjectError::NotFound { .. } => "the bucket does not exist".to_owned(),
            ObjectError::NotImplemented { operation, .. } => {
                format!("the client does not implement {operation}")
            }
            _ => causes(&error).last().map_or_else(|| "no reason given".to_owned(), text_of),
        },
    };
    Box::new(RequestFailed { operation, source: cause.into() })
}

/// Joins the texts of an error's causes, without those that are in the one before.
fn chain(http: &HttpError) -> String {
    let causes = std::iter::successors(http.source(), |cause| (*cause).source());
    let mut text = String::new();
    for cause in causes.map(text_of) {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}

fn text_of(error: &(dyn Error + 'static)) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_chain::WithCauses;

    fn generic(source: impl Into<Box<dyn Error + Send + Sync>>) -> ObjectError {
        ObjectError::Generic { store: "S3", source: source.into() }
    }

    fn answered(status: &str, body: &str) -> ObjectError {
        generic(format!(
            "Error performing PUT http://host/b/a7/secret in 1ms - Server returned non-2xx status code: \
             {status}: {body}"
        ))
    }

    fn code(code: &str) -> String {
        format!("<Error><Code>{code}</Code><Key>a7/secret</Key></Error>")
    }

    fn kinds(error: fn() -> ObjectError) -> (StoreErrorKind, StoreErrorKind, String) {
        let read = classify("PUT", error()).for_read().kind();
        let write = classify("PUT", error()).for_write();
        (read, write.kind(), WithCauses(&write).to_string())
    }

    #[test]
    fn a_refusal_proves_that_nothing_was_applied() {
        use StoreErrorKind::{Denied, Misconfigured, Unavailable};
        for (status, name, kind) in [
            ("400 Bad Request", "ExpiredToken", Denied),
            ("400 Bad Request", "RequestTimeout", Unavailable),
            ("400 Bad Request", "AuthorizationHeaderMalformed", Misconfigured),
            ("301 Moved Permanently", "PermanentRedirect", Misconfigured),
            ("429 Too Many Requests", "SomethingNew", Unavailable),
        ] {
            let error = classify("PUT", answered(status, &code(name))).for_write();
            assert_eq!(error.kind(), kind, "{name}");
            let text = WithCauses(&error).to_string();
            assert!(text.contains(&format!("PUT was answered {} {name}", &status[..3])), "{text}");
            assert!(!text.contains("secret") && !text.contains("host"), "{text}");
        }
    }

    #[test]
    fn an_error_of_the_server_or_of_a_proxy_proves_nothing() {
        use StoreErrorKind::{Indeterminate, Unavailable};
        let errors: [fn() -> ObjectError; 6] = [
            || answered("500 Internal Server Error", &code("InternalError")),
            || answered("503 Slow Down", &code("SlowDown")),
            || answered("502 Bad Gateway", "<html>secret</html>"),
            || answered("408 Request Timeout", ""),
            || answered("400 Bad Request", "<Code>no code, secret</Code>"),
            || generic("ETag Header missing from response"),
        ];
        for error in errors {
            let (read, write, text) = kinds(error);
            assert_eq!((read, write), (Unavailable, Indeterminate), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn only_a_connection_that_was_not_made_proves_that_nothing_was_sent() {
        for (kind, expected) in [
            (HttpErrorKind::Connect, StoreErrorKind::Unavailable),
            (HttpErrorKind::Request, StoreErrorKind::Indeterminate),
            (HttpErrorKind::Interrupted, StoreErrorKind::Indeterminate),
            (HttpErrorKind::Timeout, StoreErrorKind::Indeterminate),
            (HttpErrorKind::Unknown, StoreErrorKind::Indeterminate),
        ] {
            let cause = std::io::Error::other("the cause");
            let error = classify("PUT", generic(HttpError::new(kind, cause))).for_write();
            assert_eq!(error.kind(), expected, "{kind:?}");
            assert!(WithCauses(&error).to_string().contains("the cause"));
        }
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let missing = |code: &str| ObjectError::NotFound {
            path: "a7".to_owned(),
            source: format!("{STATUS}404 Not Found: <Code>{code}</Code>").into(),
        };
        assert!(is_missing_bucket(&missing("NoSuchBucket")));
        assert!(is_missing_bucket(&missing("ContainerNotFound")));
        assert!(!is_missing_bucket(&missing("NoSuchKey")));
        let kind = classify("GET", missing("NoSuchBucket")).for_read().kind();
        assert_eq!(kind, StoreErrorKind::Misconfigured);
    }
}
