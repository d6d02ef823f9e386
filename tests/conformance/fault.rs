//! The ways to break the store contract.

/// A way in which a shelf breaks the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,
    /// An absent entry is loaded as an empty one.
    AbsentIsEmpty,
    /// An empty entry is absent.
    EmptyIsAbsent,
    /// The version that is loaded is not the one that was acknowledged.
    VersionsDiffer,
    /// No command is ever answered.
    NeverAnswers,
    /// An entry dies a second before its deadline.
    ExpiresEarly,
    /// `create` writes one half of the bytes, lets others run, and writes the other.
    CreateTears,
    /// `create` writes over a live entry.
    CreateOverwrites,
    /// `create` takes an expired entry for a live one.
    CreateBlockedByExpired,
    /// Between finding no entry and writing its own, `create` lets others run.
    CreateNotAtomic,
    /// `replace` never looks at the version.
    ReplaceIgnoresVersion,
    /// `replace` writes where nothing is.
    ReplaceResurrects,
    /// `replace` takes an expired entry for a live one.
    ReplaceRevivesExpired,
    /// `replace` keeps the deadline.
    ReplaceKeepsDeadline,
    /// `replace` keeps the deadline if the new one is earlier.
    ReplaceNeverShortens,
    /// `replace` keeps the version.
    ReplaceKeepsVersion,
    /// `replace` answers a conflict with the entry before the one that is there.
    ConflictIsStale,
    /// `replace` treats a write that it has applied before as done.
    ReplaceSwallowsRepeat,
    /// Between comparing and writing, `replace` lets others run.
    ReplaceNotAtomic,
    /// `replace` writes one half of the bytes, lets others run, and writes the other.
    ReplaceTears,
    /// `replace` takes the entry out, lets others run, and puts the new one in.
    ReplaceLeavesAGap,
    /// `touch` moves the deadline back.
    TouchShortens,
    /// `touch` never looks at the version.
    TouchIgnoresVersion,
    /// `touch` gives the entry a new version.
    TouchChangesVersion,
    /// `touch` answers `Done` and does nothing.
    TouchDoesNothing,
    /// `touch` takes an expired entry for a live one.
    TouchRevivesExpired,
    /// `touch` takes the entry out, lets others run, and puts it back.
    TouchLeavesAGap,
    /// `touch` of nothing is skipped.
    TouchSkipsAbsent,
    /// Between reading the entry and writing it back, `touch` lets others run.
    TouchNotAtomic,
    /// `delete` of nothing fails.
    DeleteFailsOnAbsent,
    /// `delete` succeeds and does nothing.
    DeleteDoesNothing,
    /// An expired entry is loaded.
    ServesExpired,
    /// An entry is live at its deadline too.
    LiveAtDeadline,
    /// Entries live for a month at most.
    ForgetsFarDeadlines,
    /// Versions count from 1 in each entry.
    VersionsCount,
    /// The version is a hash of the bytes.
    VersionsHash,
    /// Bytes are kept as text.
    BytesAsText,
    /// Bytes over the limit are cut off.
    CutsAtLimit,
    /// The last byte of a key is dropped.
    ShortKeys,
    /// Each handle has a shelf of its own.
    HandlesApart,
    /// Each handle reads what it read before.
    HandlesCache,
    /// Debug shows everything.
    DebugShows,
    /// A damaged entry is absent.
    DamageIsAbsent,
    /// A damaged entry is written over.
    DamageIsReplaced,
    /// A damaged entry cannot be deleted.
    DamageStays,
}
