//! `sqlite:///var/lib/shop/sessions.db?synchronous=…&max_entry_bytes=…&readers=…&sweep_secs=…&timeout_ms=…`

use std::time::Duration;

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::{SqliteStore, SqliteStoreBuilder, SqliteSynchronous};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

async fn open(address: Address) -> Result<Backend, ConnectError> {
    let (store, path) = options(address)?;
    Ok(store.open(path).await?.into())
}

fn options(mut address: Address) -> Result<(SqliteStoreBuilder, String), ConnectError> {
    let path =
        address.absolute_path("the file must be an absolute path, as in `sqlite:///var/x.db`")?;
    if path.ends_with('/') {
        return Err(address.invalid("the path must name a file, as in `sqlite:///var/x.db`"));
    }
    let mut store = SqliteStore::builder();
    if let Some(seconds) = address.take_number("sweep_secs")? {
        store = store.sweep_every((seconds > 0).then(|| Duration::from_secs(seconds)));
    }
    if let Some(bytes) = address.take_number("max_entry_bytes")? {
        store = store.max_entry_bytes(bytes);
    }
    if let Some(readers) = address.take_number("readers")? {
        store = store.readers(readers);
    }
    if let Some(timeout) = address.take_timeout()? {
        store = store.command_timeout(timeout);
    }
    match address.take("synchronous").as_deref() {
        None => {}
        Some("full") => store = store.synchronous(SqliteSynchronous::Full),
        Some("normal") => store = store.synchronous(SqliteSynchronous::Normal),
        Some(_) => return Err(address.invalid("`synchronous` must be `full` or `normal`")),
    }
    address.finish().map(|()| (store, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        options(Address::parse(url).unwrap()).unwrap_err().to_string()
    }

    fn shown(url: &str) -> String {
        format!("{:?}", options(Address::parse(url).unwrap()).unwrap())
    }

    #[test]
    fn the_file_and_every_option_reach_the_store() {
        let all = "sqlite:///var/a%20b.db?sweep_secs=70&synchronous=normal&max_entry_bytes=7&readers=3&timeout_ms=70";
        let shown_all = shown(all);
        for part in [
            "\"/var/a b.db\"",
            "Some(70s)",
            "Normal",
            "entry_bytes: 7",
            "readers: 3",
            "command_timeout: 70ms",
        ] {
            assert!(shown_all.contains(part), "{part}: {shown_all}");
        }
        assert!(shown("sqlite://localhost/x.db").contains("\"/x.db\""));
        assert!(shown("sqlite:///x.db?sweep_secs=0").contains("sweep_every: None"));
        assert!(shown("sqlite:///x.db?synchronous=full").contains("Full"));
    }

    #[test]
    fn errors_name_the_mistake() {
        for (url, text) in [
            ("sqlite:x.db", "absolute path"),
            ("sqlite:/x.db", "absolute path"),
            ("sqlite://host/x.db", "absolute path"),
            ("sqlite:///var/", "name a file"),
            ("sqlite:///x.db?synchronous=off", "`synchronous` must be"),
            ("sqlite:///x.db?readers=many", "`readers` must be"),
            ("sqlite:///x.db?mode=memory", "no option `mode`"),
        ] {
            assert!(refused(url).contains(text), "{url}: {}", refused(url));
        }
    }
}
