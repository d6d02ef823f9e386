//! The paths below the store's folder. No path is ever made of bytes that a client has sent.
//!
//! ```text
//! root/cloakroom-store          the marker: says which layout this is
//! root/locks/00 … 3f            lock files, one for each stripe of keys; empty
//! root/locks/sweep              locked by the server that sweeps; holds the time of the last sweep
//! root/sessions/00 … ff/        shards, by the key's first byte:
//!      <key>                    a session
//!      .<key>.<tag>.new         a staged file: being written, read by nobody. The tag of a new
//!                               session is its commit's id
//!      .<key>.next              the successor: whole, about to be renamed to <key>, and only ever
//!                               put there under the session's lock
//! root/damaged/                 unreadable sessions that the sweeper has set aside
//! ```
//!
//! Every folder is made when the store is opened. Making a shard at its first session would save
//! empty folders, but a new folder can stay invisible to another NFS client for a minute.

use std::path::{Path, PathBuf};

use crate::hex::Hex;
use crate::id::{CommitId, StoreKey};

/// Folders of sessions. With 256, a million sessions are 4,000 to a folder; AWS advises against more
/// than 10,000.
pub(super) const SHARDS: usize = 256;
/// Lock files. A lock of its own for each session would be a file more for each, and EFS lets a mount
/// hold locks on 256 pairs of file and process only.
pub(super) const STRIPES: usize = 64;

pub(super) const MARKER: &str = "cloakroom-store";
pub(super) const FOLDERS: [&str; 3] = ["locks", "sessions", "damaged"];

/// The paths of one store.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder_path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn marker_path(&self) -> PathBuf {
        self.root.join(MARKER)
    }

    pub(super) fn lock_path(&self, stripe: usize) -> PathBuf {
        self.root.join(format!("locks/{stripe:02x}"))
    }

    pub(super) fn sweep_lock_path(&self) -> PathBuf {
        self.root.join("locks/sweep")
    }

    pub(super) fn shard_path(&self, number: usize) -> PathBuf {
        self.root.join(format!("sessions/{number:02x}"))
    }

    pub(super) fn shard_path_for(&self, key: &StoreKey) -> PathBuf {
        self.shard_path(usize::from(key.as_bytes()[0]))
    }

    pub(super) fn session_path(&self, key: &StoreKey) -> PathBuf {
        self.shard_path_for(key).join(Hex(key.as_bytes()).to_string())
    }

    pub(super) fn successor_path(&self, key: &StoreKey) -> PathBuf {
        self.shard_path_for(key).join(format!(".{}.next", Hex(key.as_bytes())))
    }

    pub(super) fn staged_path(&self, key: &StoreKey, tag: &[u8]) -> PathBuf {
        self.shard_path_for(key).join(format!(".{}.{}.new", Hex(key.as_bytes()), Hex(tag)))
    }

    pub(super) fn damaged_path(&self, key: &StoreKey, tag: &CommitId) -> PathBuf {
        self.root.join(format!("damaged/{}.{}", Hex(key.as_bytes()), Hex(tag.as_bytes())))
    }
}

/// Returns the number of the lock file for a key. Uses another byte than the one that chooses the
/// shard, so that the sessions of one shard have many locks.
pub(super) fn choose_stripe(key: &StoreKey) -> usize {
    usize::from(key.as_bytes()[1]) % STRIPES
}

/// The kind of a file in a shard, as its name tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FileName {
    Session(StoreKey),
    Successor(StoreKey),
    Staged(StoreKey),
    /// Not one of the store's: a removed file that an NFS client keeps while it is open (`.nfs…`), or
    /// a file that an editor or an administrator has put there.
    Foreign,
}

impl FileName {
    pub(super) fn parse(name: &str) -> Self {
        let staged = name.strip_prefix('.').and_then(|staged| staged.split_once('.'));
        match staged {
            None => parse_hex(name).map_or(Self::Foreign, Self::Session),
            Some((text, "next")) => parse_hex(text).map_or(Self::Foreign, Self::Successor),
            Some((text, rest)) if rest.len() == 20 && rest.ends_with(".new") => {
                parse_hex(text).map_or(Self::Foreign, Self::Staged)
            }
            Some(_) => Self::Foreign,
        }
    }
}

/// Reads a key back. Accepts only the spelling that [`Hex`] writes: two names for one session
/// would be two sessions.
fn parse_hex(text: &str) -> Option<StoreKey> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(StoreKey::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StoreKey = StoreKey::from_bytes([0xa7; 32]);

    #[test]
    fn the_name_of_a_file_tells_its_kind() {
        let layout = Layout::new("/r".into());
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        for (path, kind) in [
            (layout.session_path(&KEY), FileName::Session(KEY)),
            (layout.successor_path(&KEY), FileName::Successor(KEY)),
            (layout.staged_path(&KEY, &[3; 8]), FileName::Staged(KEY)),
            (layout.damaged_path(&KEY, &CommitId::from_bytes([3; 8])), FileName::Foreign),
        ] {
            assert_eq!(FileName::parse(&name(path.clone())), kind, "{}", path.display());
        }
        let upper = "A7".repeat(32);
        let long = "a7".repeat(33);
        for foreign in ["", ".", ".nfs0000000000a4f3", "README", &upper, &long, "..next", ".x.new"]
        {
            assert_eq!(FileName::parse(foreign), FileName::Foreign, "{foreign}");
        }
    }

    #[test]
    fn keys_spread_over_folders_and_locks() {
        let layout = Layout::new("/r".into());
        let mut bytes = [0xff; 32];
        bytes[0] = 0;
        bytes[1] = 0x41;
        let key = StoreKey::from_bytes(bytes);
        assert!(layout.session_path(&key).starts_with("/r/sessions/00"));
        assert_eq!(choose_stripe(&key), 1);
        assert_eq!(layout.lock_path(STRIPES - 1), Path::new("/r/locks/3f"));
        assert_eq!(layout.shard_path(SHARDS - 1), Path::new("/r/sessions/ff"));
    }
}
