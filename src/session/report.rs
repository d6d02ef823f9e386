//! The log of what a request has met.

use crate::error::SessionError;

/// Warns the operator of what a person has to mend, and tells the rest to whoever debugs.
pub(super) fn report(error: &SessionError, what: &str) {
    let source = error as &dyn std::error::Error;
    if error.needs_operator() {
        tracing::warn!(error = source, "{what}");
    } else {
        tracing::debug!(error = source, "{what}");
    }
}
