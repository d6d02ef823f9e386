//! Work that goes on even while its caller is not polled.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::task::JoinError;
use tracing::Instrument;

use super::unwatched::UnderWay;
use crate::abort_on_drop::AbortOnDrop;

/// Runs `work` to its end, in a task of its own as soon as it has to wait. Dropping the future aborts
/// it.
///
/// A handler may start a `save` and then wait for something else, as a loop does that selects between
/// a `save` and a client who has stopped reading. The `save` would keep what it holds, such as the turn
/// of its handle or a connection of the store, until the loop comes back to it.
pub(super) async fn in_own_task<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut work = Box::pin(work.in_current_span());
    // With a store in memory nothing has to wait, and a task would cost more than the work.
    let polled = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    if let Poll::Ready(done) = polled {
        return done;
    }
    let Ok(runtime) = Handle::try_current() else { return work.await };
    joined(AbortOnDrop::new(runtime.spawn(work)).await).await
}

/// [`in_own_task`], but once it has begun it goes on even if the future is dropped: of the sessions that
/// are to be ended, none may live on because a browser did not wait.
pub(super) async fn in_own_task_to_the_end<T: Send + 'static>(
    under_way: UnderWay,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let work = async move {
        let _under_way = under_way;
        work.await
    };
    match Handle::try_current() {
        Ok(runtime) => joined(runtime.spawn(work.in_current_span()).await).await,
        Err(_) => work.await,
    }
}

async fn joined<T>(result: Result<T, JoinError>) -> T {
    match result.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        // A closure of the app has panicked; its caller is to see that.
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is shutting down, and this future with it.
        Err(Err(_)) => std::future::pending().await,
    }
}
