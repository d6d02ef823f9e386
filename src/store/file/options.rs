//! The options of a file store, as every other file of this folder reads them.
//!
//! [`FileStoreBuilder`](super::FileStoreBuilder) fills them in. It stands at the top of the folder,
//! because it also opens the store; the files in between need the values and not the builder.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;

/// The largest limit that the builder accepts for one session. Readers allocate a buffer of the
/// file's length, so a file longer than this is refused unread.
pub(super) const LARGEST_ENTRY: usize = 16 << 20;

/// The part that is on stable storage before the store acknowledges a write.
///
/// ```
/// use cloakroom::store::Durability;
///
/// assert_eq!(Durability::default(), Durability::Full);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing. A machine that loses power may lose what the store has acknowledged, or find
    /// damaged sessions afterwards.
    ///
    /// Choose it only for a local folder whose contents you can afford to lose. On a network file
    /// system it also hides errors such as a full disk, because the client reports those when the
    /// file is synchronised.
    None,
    /// The file: it is synchronised (`fsync`) before it is published.
    ///
    /// On a local disk a crash of the machine right after a write may bring the previous version of
    /// the session back, whole.
    File,
    /// The file, and its folder after the file was published.
    Folder,
    /// Everything that an acknowledged write needs to survive a crash of the machine. This is the
    /// default.
    ///
    /// On NFS, and therefore on EFS, it is the same as [`File`](Self::File): the server publishes the
    /// file, and it answers when the change is on stable storage. On any other file system, a local
    /// disk in particular, it is the same as [`Folder`](Self::Folder).
    #[default]
    Full,
}

/// The options of one store.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) root: PathBuf,
    pub(super) clock: Clock,
    pub(super) durability: Durability,
    pub(super) max_entry_bytes: usize,
    pub(super) workers: usize,
    pub(super) command_timeout: Duration,
    pub(super) shared_mount: bool,
    pub(super) sweep_every: Option<Duration>,
}

impl Options {
    /// The builder's methods say why each default is what it is.
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            clock: Clock::system(),
            durability: Durability::default(),
            max_entry_bytes: 1 << 20,
            workers: 64,
            command_timeout: Duration::from_millis(1_500),
            shared_mount: true,
            sweep_every: Some(Duration::from_secs(60 * 60)),
        }
    }
}
