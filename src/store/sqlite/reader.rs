//! A thread that reads.

use std::sync::Arc;

use super::busy;
use super::connection::{Opened, open_to_read};
use super::error::{During, SqliteError};
use super::jobs::Read;
use super::place::Place;
use super::queue::Queue;
use super::row::Find;

/// The queue of the reading threads.
pub(super) type Reads = Queue<Read>;

/// Serves the queue until it is closed.
pub(super) fn run(place: &Place, queue: &Arc<Reads>) {
    let mut first = queue.next();
    while let Some(read) = first {
        busy::give_up_at(read.ticket.deadline());
        first = match open_to_read(place) {
            Ok(opened) => serve(place, queue, &opened, read),
            Err(error) => {
                read.fail(place, error);
                queue.next()
            }
        };
    }
}

/// Serves loads until the queue is closed, or until the connection has to be opened again. Returns the
/// load that comes next then.
fn serve(place: &Place, queue: &Arc<Reads>, opened: &Opened, first: Read) -> Option<Read> {
    let mut find = match Find::prepare(&opened.connection).during("prepare its statements") {
        Ok(find) => find,
        Err(error) => {
            first.fail(place, error);
            return queue.next();
        }
    };
    let mut next = Some(first);
    while let Some(read) = next {
        if !place.is_still(opened.file) {
            return Some(read);
        }
        if let Err(NotInOrder) = load(place, &mut find, read) {
            return queue.next();
        }
        next = queue.next();
    }
    None
}

/// The connection has to be opened again.
struct NotInOrder;

fn load(place: &Place, find: &mut Find<'_>, read: Read) -> Result<(), NotInOrder> {
    busy::give_up_at(read.ticket.deadline());
    if !read.take() {
        return Ok(());
    }
    match find.entry(&read.key).during("read it") {
        Ok(found) => {
            read.answer(found);
            Ok(())
        }
        Err(error) => {
            let is_busy = SqliteError::is_busy(&error);
            read.fail(place, error);
            if is_busy { Ok(()) } else { Err(NotInOrder) }
        }
    }
}
