//! Events of a store.

use std::time::Duration;

use crate::error::StoreErrorKind;

/// A command that was sent to the store, when the layer has its answer or does not wait for it any longer.
///
/// A command whose request went away meanwhile is not told, nor are those with which
/// [`Revocations`](crate::Revocations) keep their own record. Sessions in cookies need no commands.
///
/// ```
/// use cloakroom::events::{CommandOutcome, StoreCommand};
/// use std::time::Duration;
///
/// fn is_slow(event: &StoreCommand) -> bool {
///     event.took > Duration::from_millis(50) || event.outcome.is_outage()
/// }
/// # use std::sync::{Arc, Mutex};
/// # struct Names(Arc<Mutex<Vec<&'static str>>>);
/// # impl cloakroom::Observer for Names {
/// #     fn command(&self, event: &StoreCommand) {
/// #         let _ = is_slow(event);
/// #         self.0.lock().unwrap().push(event.command.name());
/// #     }
/// # }
/// # let names = Arc::default();
/// # let mut visitor = cloakroom::documentation::Visitor::observed_by(Names(Arc::clone(&names)));
/// # visitor.visit(async |session| session.insert("name", "Ada"));
/// # visitor.visit(async |session| session.insert("name", "Grace"));
/// # let names = names.lock().unwrap();
/// assert_eq!(*names, ["create", "load", "replace"]); // two requests that write
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct StoreCommand {
    /// The command.
    pub command: CommandKind,
    /// The time from sending it to its answer, or until nobody waited any longer.
    pub took: Duration,
    /// The outcome.
    pub outcome: CommandOutcome,
}

/// A command of a [store](crate::store::SessionStore).
///
/// ```
/// use cloakroom::events::CommandKind;
///
/// assert_eq!(CommandKind::Replace.name(), "replace");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CommandKind {
    /// Reads an entry.
    Load,
    /// Creates one.
    Create,
    /// Replaces one on its version.
    Replace,
    /// Moves the deadline of one.
    Touch,
    /// Deletes one.
    Delete,
}

impl CommandKind {
    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::CommandKind;
    ///
    /// assert_eq!(CommandKind::Load.name(), "load");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Touch => "touch",
            Self::Delete => "delete",
        }
    }
}

/// The outcome of a store command.
///
/// ```
/// use cloakroom::events::CommandOutcome;
/// use cloakroom::store::StoreErrorKind;
///
/// assert!(CommandOutcome::Failed(StoreErrorKind::Unavailable).is_outage());
/// assert!(!CommandOutcome::Failed(StoreErrorKind::TooLarge).is_outage());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CommandOutcome {
    /// The store has carried it out. A load that finds nothing is carried out, too.
    Done,
    /// The store has answered that its condition does not hold: there is an entry already, another version,
    /// or none any more. That is no failure.
    Unmet,
    /// It has failed.
    Failed(StoreErrorKind),
}

impl CommandOutcome {
    /// Returns whether the store could not be reached or did not answer.
    ///
    /// ```
    /// use cloakroom::events::CommandOutcome;
    ///
    /// assert!(!CommandOutcome::Unmet.is_outage());
    /// ```
    pub const fn is_outage(self) -> bool {
        matches!(self, Self::Failed(StoreErrorKind::Unavailable | StoreErrorKind::Indeterminate))
    }

    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::CommandOutcome;
    /// use cloakroom::store::StoreErrorKind;
    ///
    /// assert_eq!(CommandOutcome::Done.name(), "done");
    /// assert_eq!(CommandOutcome::Failed(StoreErrorKind::TooLarge).name(), "too_large");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unmet => "unmet",
            Self::Failed(StoreErrorKind::Unavailable) => "unavailable",
            Self::Failed(StoreErrorKind::Indeterminate) => "indeterminate",
            Self::Failed(StoreErrorKind::TooLarge) => "too_large",
            Self::Failed(StoreErrorKind::Corrupt) => "corrupt",
            Self::Failed(StoreErrorKind::NewerFormat) => "newer_format",
            Self::Failed(StoreErrorKind::Denied) => "denied",
            Self::Failed(StoreErrorKind::Misconfigured) => "misconfigured",
        }
    }
}

/// The beginning or the end of an outage: the store has stopped answering this layer, or answers again.
///
/// Each layer and its clones judge by their own commands. When commands overlap, two threads may tell the end of one
/// outage and the beginning of the next in either order. So count them: as many have begun as are over, or one
/// more.
///
/// ```
/// use cloakroom::events::Outage;
///
/// fn page(event: &Outage) -> Option<String> {
///     match event {
///         Outage::Begun => None, // wait whether it lasts
///         Outage::Over { lasted, .. } => Some(format!("it took {lasted:?}")),
///         _ => None,
///     }
/// }
/// assert_eq!(page(&Outage::Begun), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Outage {
    /// The first command has failed because the store could not be reached or did not answer.
    Begun,
    /// The first command after that has succeeded.
    #[non_exhaustive]
    Over {
        /// The time since it was noticed.
        lasted: Duration,
    },
}

impl Outage {
    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::Outage;
    ///
    /// assert_eq!(Outage::Begun.name(), "begun");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Over { .. } => "over",
        }
    }
}
