//! `file:///mnt/efs/sessions?sweep_secs=…&durability=…&max_entry_bytes=…&shared_mount=…&workers=…&timeout_ms=…`

use std::time::Duration;

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::{Durability, FileStore, FileStoreBuilder};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

async fn open(address: Address) -> Result<Backend, ConnectError> {
    Ok(options(address)?.open().await?.into())
}

fn options(mut address: Address) -> Result<FileStoreBuilder, ConnectError> {
    let folder = "the folder must be an absolute path, as in `file:///mnt/efs/x`";
    let mut store = FileStore::builder(address.absolute_path(folder)?);
    if let Some(seconds) = address.take_number("sweep_secs")? {
        store = store.sweep_every((seconds > 0).then(|| Duration::from_secs(seconds)));
    }
    if let Some(bytes) = address.take_number("max_entry_bytes")? {
        store = store.max_entry_bytes(bytes);
    }
    if let Some(workers) = address.take_number("workers")? {
        store = store.workers(workers);
    }
    if let Some(timeout) = address.take_timeout()? {
        store = store.command_timeout(timeout);
    }
    if let Some(shared) = address.take_flag("shared_mount")? {
        store = store.shared_mount(shared);
    }
    match address.take("durability").as_deref() {
        None => {}
        Some("none") => store = store.durability(Durability::None),
        Some("file") => store = store.durability(Durability::File),
        Some("folder") => store = store.durability(Durability::Folder),
        Some("full") => store = store.durability(Durability::Full),
        Some(_) => {
            return Err(address.invalid("`durability` must be `none`, `file`, `folder` or `full`"));
        }
    }
    address.finish().map(|()| store)
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
    fn the_folder_and_every_option_reach_the_store() {
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
    fn errors_name_the_mistake() {
        for (url, text) in [
            ("file:mnt", "absolute path"),
            ("file:/mnt", "absolute path"),
            ("file://host/mnt", "absolute path"),
            ("file:///mnt?durability=much", "`durability` must be"),
            ("file:///mnt?shared_mount=yes", "`shared_mount` must be"),
            ("file:///mnt?sweep=1", "no option `sweep`"),
        ] {
            assert!(refused(url).contains(text), "{url}: {}", refused(url));
        }
    }
}
