//! The paths below the store's folder. No path is ever made of bytes that a client has sent.
//!
//! ```text
//! root/cloakroom-store          the marker: says which layout this is
//! root/locks/00 … 3f            lock files, one for each stripe of keys; empty
//! root/locks/sweep              locked by the server that sweeps; holds the time of the last sweep
//! root/sessions/00 … ff/        shards, by the key's first byte:
//!      <key>                    a session
//!      .<key>.<commit>.new      a new session: being written, read by nobody
//!      .<key>.new               the staged successor of a session: being written, read by nobody, and
//!                               only ever put there under the session's lock
//!      .<key>.next              the successor: whole, about to be renamed to <key>
//!      .probe.<tag>.<number>    a file of a store that is being opened
//! root/damaged/<key>.<time>.<tag>  unreadable sessions that the sweeper has set aside, and when
//! ```
//!
//! Every folder is made when the store is opened. Making a shard at its first session would save
//! empty folders, but a new folder can stay invisible to another NFS client for a minute.

use std::path::{Path, PathBuf};

use crate::clock::Timestamp;
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

    pub(super) fn staged_path(&self, key: &StoreKey) -> PathBuf {
        self.shard_path_for(key).join(format!(".{}.new", Hex(key.as_bytes())))
    }

    pub(super) fn new_session_path(&self, key: &StoreKey, commit: &[u8]) -> PathBuf {
        self.shard_path_for(key).join(format!(".{}.{}.new", Hex(key.as_bytes()), Hex(commit)))
    }

    pub(super) fn probe_path(&self, tag: &CommitId, number: u8) -> PathBuf {
        self.shard_path(0).join(format!(".probe.{}.{number}", Hex(tag.as_bytes())))
    }

    /// A marker that is being written, or the file that tells whom the store's files belong to.
    pub(super) fn staged_marker_path(&self, tag: &CommitId) -> PathBuf {
        self.root.join(format!(".{MARKER}.{}", Hex(tag.as_bytes())))
    }

    pub(super) fn damaged_path(&self, key: &StoreKey, now: Timestamp, tag: &CommitId) -> PathBuf {
        let (key, now, tag) = (Hex(key.as_bytes()), now.as_millis(), Hex(tag.as_bytes()));
        self.root.join(format!("damaged/{key}.{now}.{tag}"))
    }
}

/// Returns when the sweeper has set a file of this name aside. A name that the sweeper does not make
/// is no such file.
///
/// The file's own times would not tell: a rename leaves the time of the last change as it was.
pub(super) fn parse_set_aside(name: &str) -> Option<Timestamp> {
    let (key, rest) = name.split_once('.')?;
    let (written, tag) = rest.split_once('.')?;
    parse_hex(key)?;
    let time = Timestamp::from_millis(written.parse().ok()?);
    // Only as it is written: without a sign, leading zeros or a later moment than any.
    (is_tag(tag) && time.as_millis().to_string() == written).then_some(time)
}

/// Returns whether a file of this name, in the root, is a marker that is being written.
pub(super) fn is_staged_marker(name: &str) -> bool {
    let tag = name.strip_prefix('.').and_then(|name| name.strip_prefix(MARKER));
    tag.and_then(|tag| tag.strip_prefix('.')).is_some_and(is_tag)
}

fn is_tag(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
    /// The file of a store that is being opened.
    Probe,
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
            Some((text, "new")) => parse_hex(text).map_or(Self::Foreign, Self::Staged),
            Some(("probe", rest)) => match rest.split_once('.') {
                Some((tag, "1" | "2")) if is_tag(tag) => Self::Probe,
                _ => Self::Foreign,
            },
            Some((text, rest)) => match rest.strip_suffix(".new") {
                Some(commit) if is_tag(commit) => {
                    parse_hex(text).map_or(Self::Foreign, Self::Staged)
                }
                _ => Self::Foreign,
            },
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
    const TAG: CommitId = CommitId::from_bytes([3; 8]);

    #[test]
    fn the_name_of_a_file_tells_its_kind() {
        let layout = Layout::new("/r".into());
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        for (path, kind) in [
            (layout.session_path(&KEY), FileName::Session(KEY)),
            (layout.successor_path(&KEY), FileName::Successor(KEY)),
            (layout.staged_path(&KEY), FileName::Staged(KEY)),
            (layout.new_session_path(&KEY, &[3; 8]), FileName::Staged(KEY)),
            (layout.probe_path(&TAG, 1), FileName::Probe),
            (layout.probe_path(&TAG, 3), FileName::Foreign),
            (layout.damaged_path(&KEY, Timestamp::MAX, &TAG), FileName::Foreign),
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
    fn a_staged_file_has_the_name_that_the_store_writes() {
        let key = "a7".repeat(32);
        for commit in
            ["030303030303030A", "03030303030303g0", "0303030303030.30", "é30303030303030"]
        {
            let name = format!(".{key}.{commit}.new");
            assert_eq!(FileName::parse(&name), FileName::Foreign, "{name}");
        }
    }

    #[test]
    fn the_name_of_a_file_that_was_set_aside_tells_when() {
        let now = Timestamp::from_millis(1_700_000_000_123);
        let path = Layout::new("/r".into()).damaged_path(&KEY, now, &TAG);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(parse_set_aside(name), Some(now));
        for other in
            ["", "notes.txt", &name[1..], &name[..name.len() - 1], &name.replace("17", "x")]
        {
            assert_eq!(parse_set_aside(other), None, "{other}");
        }
        let named = |time: &str| parse_set_aside(&name.replace("1700000000123", time));
        assert_eq!(named("281474976710655"), Some(Timestamp::MAX));
        for other in ["+1700000000123", "01700000000123", "-0", "", "281474976710656"] {
            assert_eq!(named(other), None, "{other}");
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
