//! The contract between the library and a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::entry::{Created, Entry, LoadedNear, NewEntry, Replaced, Touched, Version};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;

/// Keeps sessions. Backends implement it; apps never call it.
///
/// # Contract
///
/// * **Live**: an entry is live until its deadline. At and after it the entry is absent for every
///   command, even while its bytes are still there.
/// * **Fresh**: every command sees what was acknowledged before it began, on whichever server it
///   was. Read the primary, never a replica. [`load_near`](Self::load_near) alone may answer with less.
/// * **Atomic**: each command happens as one step. Of concurrent commands on one key, each finds
///   what the one before it left: of two `replace`s that expect the same version, exactly one is
///   `Done`.
/// * **Versions never repeat**: not after a delete, not for equal bytes, not after a failover. A
///   random token (the [`CommitId`](super::CommitId) will do) fulfils that; a counter does not, because it begins
///   anew after a delete or a failover.
/// * **Cancelled**: a future that is dropped half-way leaves the old entry or the new one, whole.
///   The command may still be carried out later.
/// * **Never repeated**: a store does not send a write again by itself, unless the error proves
///   that the first was not applied. A store that lost an answer returns
///   [`Indeterminate`](crate::store::StoreErrorKind::Indeterminate), and the library finds out
///   whether the write was applied.
/// * **Clones and handles**: a store is a handle; all clones and all handles share the entries.
/// * **Bytes**: any bytes of any length up to the store's limit come back as they were. Over the
///   limit is [`TooLarge`](crate::store::StoreErrorKind::TooLarge), before anything is sent;
///   nothing is cut.
/// * **Silent**: `Debug` shows nothing of the bytes of an entry.
/// * **Damage**: an entry that the store cannot have written is
///   [`Corrupt`](crate::store::StoreErrorKind::Corrupt): not absent, not replaced. Only `delete`
///   removes it.
/// * **Newer**: an entry that a newer release of the store has written is
///   [`NewerFormat`](crate::store::StoreErrorKind::NewerFormat) for every command: not absent, not
///   replaced, and not deleted either.
///
/// Every method may fail with a [`StoreError`] whose kind tells whether the command was applied.
/// The library bounds every call in time by itself.
///
/// # A store on SQL
///
/// One table: the key as the primary key, the version, the deadline in milliseconds, and the bytes.
/// The clock is the caller's: pass the time in, and do not mix it with the database's.
///
/// * `load` is a `SELECT … WHERE key = ? AND deadline > now`.
/// * `create` is an `INSERT` that writes over a row whose deadline has passed. No row affected is
///   [`Created::Exists`].
/// * `replace` is one conditional `UPDATE … WHERE key = ? AND version = ? AND deadline > now`. One row
///   affected is [`Replaced::Done`]. If no row is affected, a `SELECT` of the live row tells
///   [`Replaced::Conflict`] from [`Replaced::Gone`].
/// * `touch` is the same with `AND deadline < new_deadline`, and sets the deadline alone.
/// * The commit id is a good version.
///
/// On PostgreSQL, do not put the `UPDATE` and that `SELECT` into one statement: the `SELECT` sees the
/// row as it was before the `UPDATE` waited for its lock, and answers with the version that was
/// expected. Lock the row first (`FOR NO KEY UPDATE`), or send two statements. On MySQL and MariaDB,
/// count the rows that were changed, not those that were found (`CLIENT_FOUND_ROWS` off).
///
/// ## Which kind each failure is
///
/// Most errors that the database itself reports prove that the command was not applied, because the database
/// undoes the statement as a whole. The table has the exceptions. A connection that breaks after the command
/// was handed over proves nothing.
///
/// | what went wrong | PostgreSQL | MySQL, MariaDB | SQLite | kind |
/// |---|---|---|---|---|
/// | never sent: refused connection, no free connection, waited too long in the store's own queue | 53300, 57P03 | 1040, 1203 | `BUSY` | [`Unavailable`](crate::store::StoreErrorKind::Unavailable) |
/// | undone by the server: deadlock, serialization, lock or statement time-out, full disk, out of memory | 40001, 40P01, 55P03, 57014, 53100, 53200 | 1205, 1213, 1021, 1114, 1969, 3024 | `FULL`, `NOMEM`, `BUSY` | [`Unavailable`](crate::store::StoreErrorKind::Unavailable) |
/// | the server only reads, after a failover for example: close the connection, and find the primary | 25006 | 1290, 1836 | | [`Unavailable`](crate::store::StoreErrorKind::Unavailable) |
/// | a connection that broke, a time-out of your own, or the server closing the session while the command was under way | `FATAL`, 08xxx, 40003, no code | 2006, 2013, 1053, 1927 | `IOERR` while committing | [`Indeterminate`](crate::store::StoreErrorKind::Indeterminate) for a write, [`Unavailable`](crate::store::StoreErrorKind::Unavailable) for a read |
/// | too many bytes for the server; check your own limit before sending | 54000, 22001 | 1153, 1406 | `TOOBIG` | [`TooLarge`](crate::store::StoreErrorKind::TooLarge) |
/// | the login or the user's rights | 28000, 28P01, 42501 | 1044, 1045, 1142 | `PERM`, `AUTH` | [`Denied`](crate::store::StoreErrorKind::Denied) |
/// | no such database, table or column, no such statement | 3D000, 3F000, 42P01, 42703, 26000 | 1049, 1054, 1146 | `CANTOPEN`, `NOTADB`, `READONLY`, `ERROR` | [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured) |
/// | a row that the store cannot have written, or a damaged page | XX001, XX002 | | `CORRUPT` | [`Corrupt`](crate::store::StoreErrorKind::Corrupt) |
///
/// A command behind another one on the same connection shares its fate: if the first one's answer is lost,
/// nobody knows of either. An error's text may quote the row; keep its code and leave the text out.
///
/// # Example
///
/// `examples/custom_store.rs` is a whole store. In an app, a store goes into a
/// [`SessionLayer`](crate::SessionLayer); a test may call it like this:
///
/// ```
/// use cloakroom::Timestamp;
/// use cloakroom::store::{CommitId, Created, MemoryStore, NewEntry, Replaced, SessionStore, StoreKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloakroom::store::StoreError> {
/// let (store, key) = (MemoryStore::new(), StoreKey::from_bytes([7; 32]));
/// let entry = |commit, bytes| NewEntry::new(CommitId::from_bytes([commit; 8]), Timestamp::MAX, bytes);
/// let Created::Done(first) = store.create(&key, &entry(1, "a coat")).await? else { panic!() };
/// assert_eq!(store.create(&key, &entry(2, "another")).await?, Created::Exists);
///
/// assert!(matches!(store.replace(&key, &first, &entry(3, "b")).await?, Replaced::Done(_)));
/// let Replaced::Conflict(there) = store.replace(&key, &first, &entry(4, "c")).await? else { panic!() };
/// assert_eq!(there.bytes, "b");
/// store.delete(&key).await?;
/// assert!(store.load(&key).await?.is_none());
/// # Ok(())
/// # }
/// ```
// `async fn` of the language needs no macro and no box, but a trait with it cannot be `dyn`, and an app
// could not choose its store at run time.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Reads the live entry.
    ///
    /// Returns `None` when it is absent or its deadline has passed.
    #[doc(alias("find", "get", "load_session"))]
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError>;

    /// Writes an entry where none is live.
    ///
    /// Never overwrites a live entry: that is [`Created::Exists`]. An expired entry counts as
    /// absent.
    #[doc(alias("insert", "add"))]
    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError>;

    /// Writes over a live entry whose version is `expected`; data, version and deadline are new.
    ///
    /// The deadline may become earlier. With another version it changes nothing and answers with
    /// the entry that is there, in the same round trip where the server can. Where no entry is live
    /// it is [`Replaced::Gone`] and creates none.
    #[doc(alias("save", "update", "commit", "store_session", "compare_and_swap"))]
    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError>;

    /// Moves the deadline of a live entry forwards, if its version is `expected`.
    ///
    /// Changes neither data nor version. [`Touched::Skipped`] when the version is another or the
    /// deadline would not become later; [`Touched::Gone`] where no entry is live.
    // Without `expected`, a touch that arrives late would undo a commit that made the deadline earlier.
    #[doc(alias("update_ttl", "expire", "refresh"))]
    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError>;

    /// Removes the entry, readable or not. Its absence is success. One of a newer format stays.
    #[doc(alias("destroy", "remove", "destroy_session"))]
    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError>;

    /// Reads the live entry for the first look of a request, perhaps from this server's memory, or from a copy that
    /// lags behind.
    ///
    /// `None`, the default, says that the store has nothing of the kind; the library then calls
    /// [`load`](Self::load). `Near` (feature `near`) has a memory, and the store for DynamoDB an option for reads that
    /// cost half as much.
    ///
    /// The library asks so only once for a request, before its handler runs, and builds nothing on the answer that
    /// only a fresh one may carry. Its other reads are `load`s, and every write is conditional. So a store around
    /// another one that does not hand this on is correct, and has no memory.
    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        let _ = key;
        None
    }

    /// Returns whether the store may drop live entries, when it needs room for example. Default `false`.
    ///
    /// Where it may, the sessions of a layer with a [roster](crate::Roster) look now and then whether they
    /// are still listed.
    fn may_evict(&self) -> bool {
        false
    }

    /// Returns whether this is a [`Moving`](super::Moving), which takes none for one of its two stores. A
    /// store around another one may hand it on; [`Moving`](super::Moving) notices the other at its first
    /// moved entry.
    #[doc(hidden)]
    fn is_moving(&self) -> bool {
        false
    }
}

/// Makes a shared store a store, so that an `Arc<dyn SessionStore>` can be chosen at run time.
// Written out by hand: `#[async_trait]` would box a second future around the one that the store has
// boxed already, one more allocation in every command.
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn load<'a, 'k, 'f>(&'a self, key: &'k StoreKey) -> BoxFuture<'f, Option<Entry>>
    where
        'a: 'f,
        'k: 'f,
    {
        (**self).load(key)
    }

    fn create<'a, 'k, 'e, 'f>(
        &'a self,
        key: &'k StoreKey,
        entry: &'e NewEntry,
    ) -> BoxFuture<'f, Created>
    where
        'a: 'f,
        'k: 'f,
        'e: 'f,
    {
        (**self).create(key, entry)
    }

    fn replace<'a, 'k, 'v, 'e, 'f>(
        &'a self,
        key: &'k StoreKey,
        expected: &'v Version,
        entry: &'e NewEntry,
    ) -> BoxFuture<'f, Replaced>
    where
        'a: 'f,
        'k: 'f,
        'v: 'f,
        'e: 'f,
    {
        (**self).replace(key, expected, entry)
    }

    fn touch<'a, 'k, 'v, 'f>(
        &'a self,
        key: &'k StoreKey,
        expected: &'v Version,
        deadline: Timestamp,
    ) -> BoxFuture<'f, Touched>
    where
        'a: 'f,
        'k: 'f,
        'v: 'f,
    {
        (**self).touch(key, expected, deadline)
    }

    fn delete<'a, 'k, 'f>(&'a self, key: &'k StoreKey) -> BoxFuture<'f, ()>
    where
        'a: 'f,
        'k: 'f,
    {
        (**self).delete(key)
    }

    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        (**self).load_near(key)
    }

    fn may_evict(&self) -> bool {
        (**self).may_evict()
    }

    fn is_moving(&self) -> bool {
        (**self).is_moving()
    }
}

/// The future of a [`load_near`](SessionStore::load_near).
// Named by the method and not made by the macro, which would box a second future in the default method: one more
// allocation in every read of every store.
pub type NearLoad<'a> = BoxFuture<'a, LoadedNear>;

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
