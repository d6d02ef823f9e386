//! What handlers keep in a session, and how they change it.

use std::time::Duration;

use super::ledger::{Kind, SEATS, View};
use super::plan::Asked;
use super::world::World;
use crate::{Field, Session, SessionError};

const COUNT: Field<u32> = Field::new("count");
const TAGS: Field<Vec<u32>> = Field::new("tags");
const SEATED: Field<Vec<u32>> = Field::new("seats");
const BY_HAND: Field<Vec<u32>> = Field::new("by hand");
const OWN: &str = "own ";

/// What "remember me" asks for.
const REMEMBERED: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(3_000));

/// Reads the whole session; at the end of a run only.
pub(super) fn look_at_all(session: &Session) -> Result<View, SessionError> {
    let own = session.keys().iter().filter_map(|key| key.strip_prefix(OWN)?.parse().ok()).collect();
    let by_hand = Some(session.get(BY_HAND)?.unwrap_or_default());
    Ok(View { by_hand, own: Some(own), ..look(session)? })
}

/// Reads only what is changed by closures, for which it makes no difference.
pub(super) fn look(session: &Session) -> Result<View, SessionError> {
    let count = session.get(COUNT)?.unwrap_or_default();
    let tags = session.get(TAGS)?.unwrap_or_default();
    let seats = session.get(SEATED)?.unwrap_or_default();
    Ok(View { count, tags, seats, by_hand: None, own: None })
}

/// Makes a change and enters it, unless the session does not take it.
pub(super) fn make(
    world: &World,
    visit: usize,
    session: &Session,
    asked: Asked,
) -> Result<(), SessionError> {
    let Some(kind) = kind(world, visit, asked) else { return Ok(()) };
    let tag = world.state().ledger.changes(visit, kind);
    world.note(visit, format!("makes change {tag}, {asked:?}"));
    let taken = change(session, asked, kind, tag);
    if !matches!(taken, Ok(true)) {
        world.state().ledger.not_taken(tag);
    }
    taken.map(|_| ())
}

fn kind(world: &World, visit: usize, asked: Asked) -> Option<Kind> {
    Some(match asked {
        Asked::Count => Kind::Count,
        Asked::ByHand => Kind::ByHand,
        Asked::Own => Kind::Own,
        Asked::Seat => Kind::Seat,
        Asked::Remove { any, .. } => {
            Kind::Removal { of: world.state().ledger.any_own(visit, any)? }
        }
        Asked::Renew | Asked::Remember => Kind::Renewal,
    })
}

/// Whether it was taken.
fn change(session: &Session, asked: Asked, kind: Kind, tag: u32) -> Result<bool, SessionError> {
    match asked {
        Asked::Count => {
            session.update(TAGS, move |tags| tags.push(tag))?;
            session.update(COUNT, |count| *count += 1)?;
        }
        Asked::ByHand => {
            let mut tags = session.get(BY_HAND)?.unwrap_or_default();
            tags.push(tag);
            session.insert(BY_HAND, &tags)?;
        }
        Asked::Own => session.insert(&format!("{OWN}{tag}"), &tag)?,
        Asked::Seat => {
            return Ok(session.try_update(SEATED, move |seats| take_seat(seats, tag))?.is_ok());
        }
        Asked::Remove { looks, .. } => {
            let Kind::Removal { of } = kind else { return Ok(false) };
            let key = format!("{OWN}{of}");
            let there = !looks || session.contains(&key)?;
            session.remove(&key)?;
            return Ok(there);
        }
        Asked::Renew => session.renew()?,
        Asked::Remember => session.remember(REMEMBERED.0, REMEMBERED.1)?,
    }
    Ok(true)
}

struct Full;

fn take_seat(seats: &mut Vec<u32>, tag: u32) -> Result<(), Full> {
    if seats.len() == SEATS {
        return Err(Full);
    }
    seats.push(tag);
    Ok(())
}
