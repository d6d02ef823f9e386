//! Polls futures by hand.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Runs all futures to their ends, and polls them in turn.
pub async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Polls `future` once, and returns its output if that is all it takes.
pub fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls `future` at most `polls` times and then drops it, as a server does when the client hangs
/// up. Between two polls the spawned tasks go on by one.
pub async fn hang_up<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if let Some(output) = poll_once(&mut future) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Polls each future once and returns those that have not ended, for the caller to keep. They are left
/// alone as in a `select!` loop whose other branch never yields.
pub fn left_alone<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<Pin<Box<F>>> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut left: Vec<_> = futures.into_iter().map(Box::pin).collect();
    left.retain_mut(|future| future.as_mut().poll(&mut cx).is_pending());
    left
}

/// Lets all spawned tasks run to their ends, as long as none of them waits for time or for a
/// server.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
