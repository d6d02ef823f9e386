//! A door for the target in `fuzz/`.

use super::address::Address;
use super::authority::Authority;

/// Reads a URL as far as it is read before anything is opened. Returns the error's texts.
pub fn url(text: &str) -> Result<(), String> {
    let shown = |error| format!("{error} {error:?}");
    let mut address = Address::parse(text).map_err(shown)?;
    let authority = Authority::parse(&address, 6379).map(drop);
    let path = address.absolute_path("give a path").map(drop);
    let flag = address.take_flag("create").map(drop);
    let timeout = address.take_unneeded_timeout();
    let parts = [authority, path, flag, timeout, address.finish()];
    let texts: Vec<_> = parts.into_iter().filter_map(Result::err).map(shown).collect();
    if texts.is_empty() { Ok(()) } else { Err(texts.join(" ")) }
}
