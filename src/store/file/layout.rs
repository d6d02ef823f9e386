//! Where everything lies below the root. No path is ever made of a client's bytes.
//!
//! ```text
//! root/cloakroom-store          says which layout this is
//! root/locks/00 … 3f            one for each stripe of keys, empty
//! root/locks/sweep              held by who sweeps; when that was done last
//! root/sessions/00 … ff/        by the key's first byte:
//!      <key>                    a session
//!      .<key>.<tag>.new         being written; a new session's tag is its commit's id
//!      .<key>.next              whole, about to take its place; put there under the lock
//! root/damaged/                 what the sweeper has set aside
//! ```
//!
//! Every folder is made when the store is opened. One that is made later can stay invisible to
//! another NFS client for a minute.

use std::path::{Path, PathBuf};

use crate::hex::Hex;
use crate::id::{CommitId, StoreKey};

/// With 256 folders a million sessions are 4,000 to a folder; AWS advises against 10,000 and more.
pub(super) const SHARDS: usize = 256;
/// Locks. EFS lets a mount hold locks on 256 pairs of file and process.
pub(super) const STRIPES: usize = 64;

pub(super) const MARKER: &str = "cloakroom-store";
pub(super) const FOLDERS: [&str; 3] = ["locks", "sessions", "damaged"];

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

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn marker(&self) -> PathBuf {
        self.root.join(MARKER)
    }

    pub(super) fn lock(&self, stripe: usize) -> PathBuf {
        self.root.join(format!("locks/{stripe:02x}"))
    }

    pub(super) fn sweep_lock(&self) -> PathBuf {
        self.root.join("locks/sweep")
    }

    pub(super) fn shard(&self, number: usize) -> PathBuf {
        self.root.join(format!("sessions/{number:02x}"))
    }

    pub(super) fn shard_of(&self, key: &StoreKey) -> PathBuf {
        self.shard(usize::from(key.as_bytes()[0]))
    }

    pub(super) fn session(&self, key: &StoreKey) -> PathBuf {
        self.shard_of(key).join(Hex(key.as_bytes()).to_string())
    }

    pub(super) fn next(&self, key: &StoreKey) -> PathBuf {
        self.shard_of(key).join(format!(".{}.next", Hex(key.as_bytes())))
    }

    pub(super) fn staged(&self, key: &StoreKey, tag: &[u8]) -> PathBuf {
        self.shard_of(key).join(format!(".{}.{}.new", Hex(key.as_bytes()), Hex(tag)))
    }

    pub(super) fn set_aside(&self, key: &StoreKey, tag: &CommitId) -> PathBuf {
        self.root.join(format!("damaged/{}.{}", Hex(key.as_bytes()), Hex(tag.as_bytes())))
    }
}

/// The stripe of a key. Not the byte that chooses its folder, so that one folder has many locks.
pub(super) fn stripe_of(key: &StoreKey) -> usize {
    usize::from(key.as_bytes()[1]) % STRIPES
}

/// What a file in a shard is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    Session(StoreKey),
    Next(StoreKey),
    Staged(StoreKey),
    /// Not ours: what NFS keeps of a removed file that is still open (`.nfs…`), an editor's or an
    /// administrator's.
    Foreign,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        let staged = name.strip_prefix('.').and_then(|staged| staged.split_once('.'));
        match staged {
            None => key(name).map_or(Self::Foreign, Self::Session),
            Some((text, "next")) => key(text).map_or(Self::Foreign, Self::Next),
            Some((text, rest)) if rest.len() == 20 && rest.ends_with(".new") => {
                key(text).map_or(Self::Foreign, Self::Staged)
            }
            Some(_) => Self::Foreign,
        }
    }
}

/// The key that [`Hex`] has written like this and no other way.
fn key(text: &str) -> Option<StoreKey> {
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
    fn a_name_says_what_a_file_is() {
        let layout = Layout::new("/r".into());
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        for (path, is) in [
            (layout.session(&KEY), Name::Session(KEY)),
            (layout.next(&KEY), Name::Next(KEY)),
            (layout.staged(&KEY, &[3; 8]), Name::Staged(KEY)),
            (layout.set_aside(&KEY, &CommitId::from_bytes([3; 8])), Name::Foreign),
        ] {
            assert_eq!(Name::of(&name(path.clone())), is, "{}", path.display());
        }
        let upper = "A7".repeat(32);
        let long = "a7".repeat(33);
        for foreign in ["", ".", ".nfs0000000000a4f3", "README", &upper, &long, "..next", ".x.new"]
        {
            assert_eq!(Name::of(foreign), Name::Foreign, "{foreign}");
        }
    }

    #[test]
    fn keys_spread_over_folders_and_locks() {
        let layout = Layout::new("/r".into());
        let mut bytes = [0xff; 32];
        bytes[0] = 0;
        bytes[1] = 0x41;
        let key = StoreKey::from_bytes(bytes);
        assert!(layout.session(&key).starts_with("/r/sessions/00"));
        assert_eq!(stripe_of(&key), 1);
        assert_eq!(layout.lock(STRIPES - 1), Path::new("/r/locks/3f"));
        assert_eq!(layout.shard(SHARDS - 1), Path::new("/r/sessions/ff"));
    }
}
