//! `near:?store=…&staleness=…&max_bytes=…`, with the URL of a store, percent-encoded.

use std::time::Duration;

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::span::span;
use crate::store::{LONGEST_STALENESS, Near};

pub(super) const SCHEMES: &[&str] = &["near"];

/// Opens the store, and puts the memory in front of it. `open` opens the URL of any other scheme.
pub(super) async fn in_front(address: Address, open: Open) -> Result<Backend, ConnectError> {
    let Options { store, staleness, max_bytes } = options(address)?;
    let invalid = store.invalid("it is no store");
    let mut near = Near::new(open(store).await?.into_store().ok_or(invalid)?);
    if let Some(staleness) = staleness {
        near = near.staleness(staleness);
    }
    if let Some(max_bytes) = max_bytes {
        near = near.max_bytes(max_bytes);
    }
    Ok(near.into())
}

struct Options {
    store: Address,
    staleness: Option<Duration>,
    max_bytes: Option<usize>,
}

fn options(mut address: Address) -> Result<Options, ConnectError> {
    address.expect_no_place()?;
    let store = address.take("store");
    let store = store.ok_or_else(|| address.invalid("the option `store` is missing"))?;
    let store = inner(&address, &store)?;
    let staleness = match address.take("staleness") {
        None => None,
        Some(text) => Some(staleness(&address, &text)?),
    };
    let max_bytes = address.take_number("max_bytes")?;
    address.finish()?;
    Ok(Options { store, staleness, max_bytes })
}

fn staleness(address: &Address, text: &str) -> Result<Duration, ConnectError> {
    match span(text) {
        Ok(staleness) if staleness <= LONGEST_STALENESS => Ok(staleness),
        Ok(_) => Err(address.invalid("`staleness` must be at most a minute: `1m`")),
        Err(problem) => Err(address.invalid(format!("`staleness`: {problem}"))),
    }
}

fn inner(address: &Address, url: &str) -> Result<Address, ConnectError> {
    let inner = match Address::parse(url) {
        Err(ConnectError::NotAUrl) => {
            return Err(address.invalid("`store` must be the URL of a store, percent-encoded"));
        }
        inner => inner?,
    };
    match inner.scheme() {
        "near" => Err(address.invalid("`store` cannot be a `near:` URL itself")),
        "cookie" | "private-cookie" => {
            let problem = "`store`: sessions that travel in cookies need no trip to a store";
            Err(address.invalid(problem))
        }
        _ => Ok(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(String, Option<Duration>, Option<usize>), String> {
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        let Options { store, staleness, max_bytes } =
            options(address).map_err(|error| error.to_string())?;
        Ok((format!("{}:{}", store.scheme(), store.place()), staleness, max_bytes))
    }

    #[test]
    fn the_store_and_the_limits_are_read() {
        let url = "near:?store=redis%3A%2F%2Fu%3Ap%2540%40h%3Fprefix%3Da";
        assert_eq!(read(url).unwrap(), ("redis://u:p%40@h".to_owned(), None, None));
        let (_, staleness, max_bytes) =
            read(&format!("{url}&staleness=250ms&max_bytes=1000")).unwrap();
        assert_eq!((staleness, max_bytes), (Some(Duration::from_millis(250)), Some(1000)));
        assert_eq!(read(&format!("{url}&staleness=1m")).unwrap().1, Some(LONGEST_STALENESS));
    }

    #[test]
    fn errors_name_the_mistake_and_show_no_value() {
        for (options, text) in [
            ("", "the option `store` is missing"),
            ("store=secret", "`store` must be the URL of a store"),
            ("store=u:secret%40h", "`store` must be the URL of a store"),
            ("store=near:%3Fstore%3Dsecret", "`store` cannot be a `near:` URL"),
            ("store=cookie:", "`store`: sessions that travel in cookies"),
            ("store=memory:&staleness=secret", "`staleness`: a time must be a whole number"),
            ("store=memory:&staleness=61s", "`staleness` must be at most a minute"),
            ("store=memory:&max_bytes=secret", "`max_bytes` must be a whole number"),
            ("store=memory:&stalenes=1s", "no option `stalenes`"),
        ] {
            let error = read(&format!("near:?{options}")).unwrap_err();
            assert!(error.contains(text) && !error.contains("secret"), "{options}: {error}");
        }
        assert!(read("near://host?store=memory:").unwrap_err().contains("only options"));
    }
}
