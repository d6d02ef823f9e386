//! `moving:?from=…&to=…&first=…`, with the URLs of two stores, percent-encoded.

use std::sync::Arc;

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::{Moving, SessionStore};

pub(super) const SCHEME: &str = "moving";

/// Opens the two stores, the old one first. `open` opens the URL of any other scheme.
pub(super) async fn open(address: Address, open: Open) -> Result<Backend, ConnectError> {
    let Options { from, to, new_first } = options(address)?;
    let (from, to) = (store(from, open).await?, store(to, open).await?);
    Ok(match new_first {
        false => Moving::old_first(from, to).into(),
        true => Moving::new_first(from, to).into(),
    })
}

struct Options {
    from: Address,
    to: Address,
    new_first: bool,
}

fn options(mut address: Address) -> Result<Options, ConnectError> {
    address.expect_no_place()?;
    let (from, to) = (take_url(&mut address, "from")?, take_url(&mut address, "to")?);
    if from == to {
        return Err(address.invalid("`from` and `to` must be two stores"));
    }
    let new_first = match address.take("first").as_deref() {
        Some("old") => false,
        Some("new") => true,
        // No default: a server at the wrong step loses sessions.
        _ => return Err(address.invalid("`first` must be `old` or `new`")),
    };
    let (from, to) = (inner(&address, "from", &from)?, inner(&address, "to", &to)?);
    address.finish()?;
    Ok(Options { from, to, new_first })
}

fn take_url(address: &mut Address, name: &str) -> Result<String, ConnectError> {
    address.take(name).ok_or_else(|| address.invalid(format!("the option `{name}` is missing")))
}

fn inner(address: &Address, name: &str, url: &str) -> Result<Address, ConnectError> {
    let inner = match Address::parse(url) {
        Err(ConnectError::NotAUrl) => {
            let problem = format!("`{name}` must be the URL of a store, percent-encoded");
            return Err(address.invalid(problem));
        }
        inner => inner?,
    };
    match inner.scheme() {
        SCHEME => Err(address.invalid(format!("`{name}` cannot be a `moving:` URL itself"))),
        "near" => {
            let problem = "put `near:` in front of `moving:`, not into it";
            Err(address.invalid(format!("`{name}`: {problem}")))
        }
        "cookie" | "private-cookie" => {
            let problem = "sessions that travel in cookies are in no store and cannot be moved";
            Err(address.invalid(format!("`{name}`: {problem}")))
        }
        _ => Ok(inner),
    }
}

async fn store(address: Address, open: Open) -> Result<Arc<dyn SessionStore>, ConnectError> {
    let invalid = address.invalid("it is no store");
    open(address).await?.into_store().ok_or(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(String, String, bool), String> {
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        let options = options(address).map_err(|error| error.to_string())?;
        let [from, to] = [options.from, options.to]
            .map(|address| format!("{}:{}", address.scheme(), address.place()));
        Ok((from, to, options.new_first))
    }

    #[test]
    fn both_urls_and_the_step_are_read() {
        let url = "moving:?from=redis%3A%2F%2Fu%3Ap%2540%40h%3Fprefix%3Da&to=file%3A%2F%2F%2Fmnt%3Fworkers%3D3%26durability%3Dfile&first=";
        for (first, new_first) in [("old", false), ("new", true)] {
            let read = read(&format!("{url}{first}")).unwrap();
            let (from, to) = ("redis://u:p%40@h".to_owned(), "file:///mnt".to_owned());
            assert_eq!(read, (from, to, new_first));
        }
    }

    #[test]
    fn errors_name_the_mistake_and_show_no_value() {
        for (options, text) in [
            ("", "the option `from` is missing"),
            ("from=redis%3A%2F%2Fsecret", "the option `to` is missing"),
            ("from=memory:&to=file:///a", "`first` must be `old` or `new`"),
            ("from=memory:&to=file:///a&first=secret", "`first` must be `old` or `new`"),
            ("from=memory:&to=file:///a&first=old&firts=new", "no option `firts`"),
            ("from=memory:&to=memory:&first=old", "must be two stores"),
            ("from=secret&to=memory:&first=old", "`from` must be the URL of a store"),
            ("from=memory:&to=u:secret%40h&first=old", "`to` must be the URL of a store"),
            ("from=memory:&to=cookie:&first=old", "`to`: sessions that travel in cookies"),
            ("from=moving:%3Ffrom%3Dsecret&to=memory:&first=new", "`from` cannot be a `moving:`"),
            ("from=memory:&to=MOVING:&first=new", "`to` cannot be a `moving:` URL"),
            ("from=near:%3Fstore%3Dsecret&to=memory:&first=new", "`from`: put `near:` in front"),
            ("from=memory:&to=redis:?a=secret&first=new&a=1", "no option `a`"),
        ] {
            let error = read(&format!("moving:?{options}")).unwrap_err();
            assert!(error.contains(text) && !error.contains("secret"), "{options}: {error}");
        }
        assert!(read("moving://host?from=memory:").unwrap_err().contains("only options"));
    }
}
