//! The states that a key may be in, and the answers that each allows. Everything here is pure.

use cloakroom::Timestamp;
use cloakroom::store::{Created, Entry, NewEntry, Replaced, StoreErrorKind, Touched, Version};

/// The state of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nothing,
    Entry(Entry),
    /// Something that the store cannot have written, in the place of an entry that would have lived until then.
    Damaged {
        until: Timestamp,
    },
    /// Something that a newer release of the store has written, in the place of such an entry.
    Newer {
        until: Timestamp,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Command {
    Load,
    Create(NewEntry),
    Replace(Version, NewEntry),
    Touch(Version, Timestamp),
    Delete,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Loaded(Option<Entry>),
    Created(Created),
    Replaced(Replaced),
    Touched(Touched),
    Deleted,
    Failed(StoreErrorKind),
}

impl Command {
    /// Returns how many bytes the command would store.
    fn len(&self) -> usize {
        match self {
            Self::Create(new) | Self::Replace(_, new) => new.bytes.len(),
            _ => 0,
        }
    }
}

impl Answer {
    /// Returns the version of what was written.
    pub(super) fn written(&self) -> Option<Version> {
        match self {
            Self::Created(Created::Done(version)) | Self::Replaced(Replaced::Done(version)) => {
                Some(*version)
            }
            _ => None,
        }
    }

    /// Returns a version that the answer tells of.
    pub(super) fn version(&self) -> Option<Version> {
        match self {
            Self::Loaded(Some(there)) | Self::Replaced(Replaced::Conflict(there)) => {
                Some(there.version)
            }
            _ => self.written(),
        }
    }
}

impl Place {
    /// Returns the live entry.
    pub(super) fn live(&self, now: Timestamp) -> Option<&Entry> {
        match self {
            Self::Entry(entry) if entry.deadline > now => Some(entry),
            _ => None,
        }
    }

    /// Returns what this may be at a later time.
    ///
    /// The contract does not say whether damage ends with the deadline of what was there: not every store can
    /// still read that deadline.
    pub(super) fn at(&self, now: Timestamp) -> Vec<Self> {
        match self {
            Self::Entry(entry) if entry.deadline <= now => vec![Self::Nothing],
            Self::Damaged { until } | Self::Newer { until } if *until <= now => {
                vec![self.clone(), Self::Nothing]
            }
            _ => vec![self.clone()],
        }
    }

    /// Returns what a command leaves that was answered like this, or `None` if the contract does not allow that
    /// answer here. An entry that has expired counts as nothing: see [`at`](Self::at).
    fn after(&self, command: &Command, answer: &Answer) -> Option<Self> {
        use StoreErrorKind::{Corrupt, NewerFormat};
        let same = || Some(self.clone());
        match (self, command, answer) {
            (Self::Newer { .. }, _, Answer::Failed(NewerFormat)) => same(),
            (Self::Newer { .. }, ..) => None,
            (_, Command::Delete, Answer::Deleted) => Some(Self::Nothing),
            (_, Command::Delete, _) => None,
            (Self::Damaged { .. }, _, Answer::Failed(Corrupt)) => same(),
            (Self::Damaged { .. }, ..) => None,

            (Self::Nothing, Command::Load, Answer::Loaded(None))
            | (Self::Nothing, Command::Replace(..), Answer::Replaced(Replaced::Gone))
            | (Self::Nothing, Command::Touch(..), Answer::Touched(Touched::Gone))
            | (Self::Entry(_), Command::Create(_), Answer::Created(Created::Exists)) => same(),
            (Self::Nothing, Command::Create(new), Answer::Created(Created::Done(version))) => {
                Some(written(new, *version))
            }

            (Self::Entry(there), Command::Load, Answer::Loaded(Some(found))) if found == there => {
                same()
            }
            (Self::Entry(there), Command::Replace(expected, new), Answer::Replaced(replaced)) => {
                match replaced {
                    Replaced::Done(version) if *expected == there.version => {
                        Some(written(new, *version))
                    }
                    Replaced::Conflict(found) if *expected != there.version && found == there => {
                        same()
                    }
                    _ => None,
                }
            }
            (Self::Entry(there), Command::Touch(expected, deadline), Answer::Touched(touched)) => {
                let moves = *expected == there.version && *deadline > there.deadline;
                match touched {
                    Touched::Done if moves => {
                        let bytes = there.bytes.clone();
                        Some(Self::Entry(Entry::new(there.version, *deadline, bytes)))
                    }
                    Touched::Skipped if !moves => same(),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn written(new: &NewEntry, version: Version) -> Place {
    Place::Entry(Entry::new(version, new.deadline, new.bytes.clone()))
}

/// Returns all that may be under a key after some calls at the same time, in whichever order explains their
/// answers. Nothing is returned if no order does.
///
/// `most` is the number of bytes that the store takes.
pub(super) fn explained(
    places: &[Place],
    calls: &[(Command, Answer)],
    now: Timestamp,
    most: Option<usize>,
) -> Vec<Place> {
    let mut found = Vec::new();
    for place in places.iter().flat_map(|place| place.at(now)) {
        explain(&place, &calls.iter().collect::<Vec<_>>(), now, most, &mut found);
    }
    found
}

fn explain(
    place: &Place,
    calls: &[&(Command, Answer)],
    now: Timestamp,
    most: Option<usize>,
    found: &mut Vec<Place>,
) {
    if calls.is_empty() && !found.contains(place) {
        found.push(place.clone());
    }
    for (at, (command, answer)) in calls.iter().enumerate() {
        let is_too_large = most.is_some_and(|most| command.len() > most);
        let after = match answer {
            Answer::Failed(StoreErrorKind::TooLarge) => is_too_large.then(|| place.clone()),
            _ if is_too_large => None,
            _ => place.after(command, answer),
        };
        let Some(after) = after else { continue };
        let rest = [&calls[..at], &calls[at + 1..]].concat();
        for place in after.at(now) {
            explain(&place, &rest, now, most, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use cloakroom::store::CommitId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn new(commit: u8, deadline: u64) -> NewEntry {
        let deadline = Timestamp::from_millis(deadline);
        NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, vec![commit])
    }

    fn version(commit: u8) -> Version {
        CommitId::from_bytes([commit; 8]).into()
    }

    fn there(commit: u8, deadline: u64) -> Place {
        written(&new(commit, deadline), version(commit))
    }

    fn entry(commit: u8, deadline: u64) -> Entry {
        Entry::new(version(commit), Timestamp::from_millis(deadline), vec![commit])
    }

    fn after(place: Place, calls: &[(Command, Answer)]) -> Vec<Place> {
        explained(&[place], calls, NOW, Some(10))
    }

    #[test]
    fn two_replaces_of_one_version_are_not_both_done() {
        let replace = |commit| Command::Replace(version(1), new(commit, 2_000));
        let done = |commit| Answer::Replaced(Replaced::Done(version(commit)));
        let met = |commit| Answer::Replaced(Replaced::Conflict(entry(commit, 2_000)));
        let both = |second| after(there(1, 2_000), &[(replace(2), second), (replace(3), done(3))]);
        assert_eq!(both(met(3)), [there(3, 2_000)]);
        assert_eq!(both(done(2)), []);
        assert_eq!(both(met(1)), [], "the conflict has to be with what is there");
    }

    #[test]
    fn an_order_that_cannot_be_told_leaves_both() {
        let done = Answer::Created(Created::Done(version(2)));
        let calls = [(Command::Create(new(2, 2_000)), done), (Command::Delete, Answer::Deleted)];
        let mut places = after(Place::Nothing, &calls);
        places.sort_by_key(|place| place.live(NOW).is_some());
        assert_eq!(places, [Place::Nothing, there(2, 2_000)]);
        let calls = [(Command::Load, Answer::Loaded(None))];
        assert_eq!(explained(&places, &calls, NOW, None), [Place::Nothing]);
    }

    #[test]
    fn what_has_expired_is_nothing_and_cannot_be_touched_or_replaced() {
        for (deadline, wanted) in [(1_000, Touched::Gone), (1_001, Touched::Done)] {
            let touch = Command::Touch(version(1), Timestamp::from_millis(9_000));
            for answer in [Touched::Gone, Touched::Skipped, Touched::Done] {
                let left = after(there(1, deadline), &[(touch.clone(), Answer::Touched(answer))]);
                assert_eq!(left.is_empty(), answer != wanted, "{deadline} {answer:?}");
            }
            let replace = Command::Replace(version(1), new(2, 9_000));
            let gone = Answer::Replaced(Replaced::Gone);
            let left = after(there(1, deadline), &[(replace, gone)]);
            assert_eq!(left.is_empty(), wanted == Touched::Done);
        }
    }

    #[test]
    fn a_touch_moves_the_deadline_forwards_only() {
        let touch = |to, answer| {
            let command = Command::Touch(version(1), Timestamp::from_millis(to));
            after(there(1, 2_000), &[(command, Answer::Touched(answer))])
        };
        assert_eq!(touch(2_001, Touched::Done), [there(1, 2_001)]);
        assert_eq!(touch(2_000, Touched::Skipped), [there(1, 2_000)]);
        assert_eq!(touch(2_000, Touched::Done), []);
        assert_eq!(touch(2_001, Touched::Skipped), []);
    }

    #[test]
    fn damage_is_only_deleted_and_a_newer_format_is_not() {
        let until = Timestamp::from_millis(2_000);
        let (damaged, newer) = (Place::Damaged { until }, Place::Newer { until });
        let corrupt = Answer::Failed(StoreErrorKind::Corrupt);
        let kept = Answer::Failed(StoreErrorKind::NewerFormat);
        let create = || Command::Create(new(2, 9_000));
        let done = || Answer::Created(Created::Done(version(2)));
        assert_eq!(after(damaged.clone(), &[(create(), corrupt)]).first(), Some(&damaged));
        assert_eq!(after(damaged.clone(), &[(create(), done())]), []);
        assert_eq!(after(damaged, &[(Command::Delete, Answer::Deleted)]), [Place::Nothing]);
        assert_eq!(after(newer.clone(), &[(Command::Delete, Answer::Deleted)]), []);
        assert_eq!(after(newer.clone(), &[(Command::Delete, kept)]), [newer]);
        let over = Place::Damaged { until: NOW };
        assert_eq!(after(over, &[(create(), done())]), [there(2, 9_000)]);
    }

    #[test]
    fn too_many_bytes_are_refused_and_no_others() {
        let refused = Answer::Failed(StoreErrorKind::TooLarge);
        let create = |len| {
            let create = NewEntry::new(new(2, 0).commit, NOW, vec![0; len]);
            [(Command::Create(create), refused.clone())]
        };
        assert_eq!(after(Place::Nothing, &create(11)), [Place::Nothing]);
        assert_eq!(after(Place::Nothing, &create(10)), []);
    }
}
