//! `file:///mnt/efs/sessions?sweep_secs=…&durability=…&max_entry_bytes=…&shared_mount=…&workers=…&timeout_ms=…`

use std::time::Duration;

use super::address::Address;
use super::{ConnectError, Open};
use crate::session::Backend;
use crate::store::{Durability, FileStore, FileStoreBuilder};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

async fn open(address: Address) -> Result<Backend, ConnectError> {
    Ok(options(address)?.open().await?.into())
}

fn options(mut address: Address) -> Result<FileStoreBuilder, ConnectError> {
    let mut store = FileStore::builder(folder(&address)?);
    if let Some(seconds) = address.take_number("sweep_secs")? {
        store = store.sweep_every((seconds > 0).then(|| Duration::from_secs(seconds)));
    }
    if let Some(bytes) = address.take_number("max_entry_bytes")? {
        store = store.max_entry_bytes(bytes);
    }
    if let Some(workers) = address.take_number("workers")? {
        store = store.workers(workers);
    }
    if let Some(millis) = address.take_number("timeout_ms")? {
        store = store.command_timeout(Duration::from_millis(millis));
    }
    match address.take("shared_mount").as_deref() {
        None => {}
        Some("true") => store = store.shared_mount(true),
        Some("false") => store = store.shared_mount(false),
        Some(_) => return Err(address.invalid("`shared_mount` is `true` or `false`")),
    }
    match address.take("durability").as_deref() {
        None => {}
        Some("none") => store = store.durability(Durability::None),
        Some("file") => store = store.durability(Durability::File),
        Some("folder") => store = store.durability(Durability::Folder),
        Some(_) => return Err(address.invalid("`durability` is `none`, `file` or `folder`")),
    }
    address.finish().map(|()| store)
}

/// The absolute path: a relative one would mean another folder wherever the app is started.
fn folder(address: &Address) -> Result<String, ConnectError> {
    let path = address.place().strip_prefix("//").and_then(|place| {
        place.strip_prefix("localhost").unwrap_or(place).strip_prefix('/').map(|_| place)
    });
    let Some(path) = path else {
        return Err(address.invalid("the folder is an absolute path, as in `file:///mnt/efs/x`"));
    };
    address.decoded(path.strip_prefix("localhost").unwrap_or(path))
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
    fn a_folder_and_its_options() {
        let all = "file:///mnt/a%20b?sweep_secs=60&durability=folder&max_entry_bytes=7&workers=3&timeout_ms=70";
        let shown_all = shown(all);
        for part in [
            "\"/mnt/a b\"",
            "Some(60s)",
            "Folder",
            "entry_bytes: 7",
            "workers: 3",
            "command_timeout: 70ms",
        ] {
            assert!(shown_all.contains(part), "{part}: {shown_all}");
        }
        assert!(shown("file://localhost/mnt/efs").contains("\"/mnt/efs\""));
        assert!(shown("file:///mnt?sweep_secs=0").contains("sweep_every: None"));
        for option in ["durability=none", "durability=file", "shared_mount=false"] {
            shown(&format!("file:///mnt?{option}"));
        }
        assert!(shown("file:///mnt?shared_mount=true").contains("shared_mount: true"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, says) in [
            ("file:mnt", "absolute path"),
            ("file:/mnt", "absolute path"),
            ("file://host/mnt", "absolute path"),
            ("file:///mnt?durability=much", "`durability` is"),
            ("file:///mnt?shared_mount=yes", "`shared_mount` is"),
            ("file:///mnt?sweep=1", "no option `sweep`"),
        ] {
            assert!(refused(url).contains(says), "{url}: {}", refused(url));
        }
    }
}
