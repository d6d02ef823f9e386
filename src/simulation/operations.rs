//! The changes that handlers make to a session, and how to read them back.

use std::time::Duration;

use super::ledger::{ChangeKind, Contents};
use super::plan::Operation;
use super::setup::SEATS;
use super::world::World;
use crate::{Field, Session, SessionError};

const COUNT: Field<u32> = Field::new("count");
const COUNTED: Field<Vec<u32>> = Field::new("counted");
const SEATED: Field<Vec<u32>> = Field::new("seats");
const INSERTED: Field<Vec<u32>> = Field::new("inserted");
const OWN_KEY: &str = "own ";
const PRINCIPAL: &str = "principal ";

/// The idle timeout and the lifetime of "remember me".
const REMEMBERED: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(3_000));

/// Reads the whole session, as the audit does.
pub(super) fn read_all(session: &Session) -> Result<Contents, SessionError> {
    let keys = session.keys();
    let own_keys = keys.iter().filter_map(|key| key.strip_prefix(OWN_KEY)?.parse().ok()).collect();
    let inserted = Some(session.get(INSERTED)?.unwrap_or_default());
    Ok(Contents { inserted, own_keys: Some(own_keys), ..read(session)? })
}

/// Reads the keys that only closures change. Reading them makes no later change a conflict.
pub(super) fn read(session: &Session) -> Result<Contents, SessionError> {
    let count = session.get(COUNT)?.unwrap_or_default();
    let counted = session.get(COUNTED)?.unwrap_or_default();
    let seats = session.get(SEATED)?.unwrap_or_default();
    let principal = session.principal().map(|name| {
        let number = name.strip_prefix(PRINCIPAL).and_then(|number| number.parse().ok());
        number.expect("handlers log in numbered principals only")
    });
    Ok(Contents { count, counted, seats, principal, inserted: None, own_keys: None })
}

/// Makes a change and records it in the ledger.
pub(super) async fn perform(
    world: &World,
    visit: usize,
    session: &Session,
    operation: Operation,
) -> Result<(), SessionError> {
    let Some(kind) = change_kind(world, visit, operation) else { return Ok(()) };
    let clear = clears_first(session, operation)
        .then(|| world.state().ledger.change_made(visit, ChangeKind::Clear, world.now()));
    let tag = world.state().ledger.change_made(visit, kind, world.now());
    world.note(visit, format!("makes change {tag}, {operation:?}"));
    let accepted = apply(session, operation, kind, tag).await;
    if !matches!(accepted, Ok(true)) {
        let refused = clear.into_iter().chain([tag]);
        refused.for_each(|tag| world.state().ledger.change_refused(tag));
    }
    accepted.map(|_| ())
}

/// Returns whether it is a login over the session of another user, which clears that.
fn clears_first(session: &Session, operation: Operation) -> bool {
    let Operation::LogIn(principal) = operation else { return false };
    let name = format!("{PRINCIPAL}{principal}");
    session.principal().is_some_and(|present| present != name)
}

/// Returns `None` when there is no key to remove.
fn change_kind(world: &World, visit: usize, operation: Operation) -> Option<ChangeKind> {
    Some(match operation {
        Operation::Count => ChangeKind::Count,
        Operation::GetAndInsert => ChangeKind::GetAndInsert,
        Operation::InsertOwnKey => ChangeKind::OwnKey,
        Operation::TakeSeat => ChangeKind::Seat,
        Operation::RemoveOwnKey { choice, .. } => {
            let removed = world.state().ledger.choose_own_key(visit, choice)?;
            ChangeKind::Removal { removed }
        }
        Operation::Clear => ChangeKind::Clear,
        Operation::Renew | Operation::Remember => ChangeKind::Renewal,
        Operation::LogIn(principal) => ChangeKind::LogIn { principal },
        Operation::LogOutKeepingData => ChangeKind::LogOut,
    })
}

/// Applies a change and returns whether the session accepted it.
async fn apply(
    session: &Session,
    operation: Operation,
    kind: ChangeKind,
    tag: u32,
) -> Result<bool, SessionError> {
    match operation {
        Operation::Count => {
            session.update(COUNTED, move |tags| tags.push(tag))?;
            session.update(COUNT, |count| *count += 1)?;
        }
        Operation::GetAndInsert => {
            let mut tags = session.get(INSERTED)?.unwrap_or_default();
            tags.push(tag);
            session.insert(INSERTED, &tags)?;
        }
        Operation::InsertOwnKey => session.insert(&format!("{OWN_KEY}{tag}"), &tag)?,
        Operation::TakeSeat => {
            return Ok(session.try_update(SEATED, move |seats| take_seat(seats, tag))?.is_ok());
        }
        Operation::RemoveOwnKey { reads_first, .. } => {
            let ChangeKind::Removal { removed } = kind else { return Ok(false) };
            let key = format!("{OWN_KEY}{removed}");
            let was_there = !reads_first || session.contains(&key)?;
            session.remove(&key)?;
            return Ok(was_there);
        }
        Operation::Clear => session.clear()?,
        Operation::Renew => session.renew()?,
        Operation::Remember => session.remember(REMEMBERED.0, REMEMBERED.1)?,
        Operation::LogIn(principal) => session.log_in(format!("{PRINCIPAL}{principal}")).await?,
        Operation::LogOutKeepingData => {
            // Where nobody is logged in, the call changes nothing.
            let was_logged_in = session.principal().is_some();
            session.log_out_keeping_data()?;
            return Ok(was_logged_in);
        }
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
