//! Random bytes from the operating system, and nothing weaker when it has none.

/// Fills a buffer with random bytes. A plain function, so that a simulation can replay a seed.
pub(crate) type Entropy = fn(&mut [u8]) -> Result<(), EntropyError>;

/// The operating system gave no random bytes.
///
/// There is no fallback: a session id that can be guessed is worse than an error (ASVS 11.5.2).
#[derive(Clone, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub(crate) struct EntropyError(String);

/// The default source.
pub(crate) fn operating_system(buffer: &mut [u8]) -> Result<(), EntropyError> {
    // `getrandom::Error` is an error only with that crate's `std` feature; its text says it all.
    getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
}
