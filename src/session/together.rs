//! Store commands that do not depend on each other, run at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Commands of one caller that are under way at once. More would only queue in the store's client, and
/// each poll looks at all of them.
const AT_ONCE: usize = 64;

/// A future whose type is hidden, so that the compiler sees that the futures around it can be sent.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs futures at the same time, 64 at most, and returns their results in the order of the futures.
pub(super) async fn all<T>(futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(futures.len());
    let mut futures = futures.into_iter();
    loop {
        let round: Vec<_> = futures.by_ref().take(AT_ONCE).collect();
        if round.is_empty() {
            return results;
        }
        results.extend(run(round).await);
    }
}

async fn run<T>(futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    let mut running: Vec<_> = futures.into_iter().enumerate().collect();
    poll_fn(|context| {
        running.retain_mut(|(at, future)| match future.as_mut().poll(context) {
            Poll::Ready(result) => {
                done[*at] = Some(result);
                false
            }
            Poll::Pending => true,
        });
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

fn ready<T>(polled: Poll<T>) -> Option<T> {
    match polled {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Runs two futures at the same time.
pub(super) async fn both<A, B>(mut a: Boxed<'_, A>, mut b: Boxed<'_, B>) -> (A, B) {
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(|context| {
        // A future that is done must not be polled again.
        if of_a.is_none() {
            of_a = ready(a.as_mut().poll(context));
        }
        if of_b.is_none() {
            of_b = ready(b.as_mut().poll(context));
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            unfinished => {
                (of_a, of_b) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn results_come_in_order_and_no_more_run_than_allowed() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let futures = (0..150_usize).map(|n| {
            let (running, most) = (&running, &most);
            Box::pin(async move {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                for _ in 0..150 - n {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::Relaxed);
                n
            }) as Boxed<'_, usize>
        });
        assert_eq!(all(futures.collect()).await, (0..150).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), AT_ONCE);
    }

    #[tokio::test]
    async fn neither_of_two_waits_for_the_other_to_begin() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let sent = Box::pin(async move { send.send(7).is_ok() });
        let (first, second) = both(Box::pin(receive), sent).await;
        assert_eq!((first, second), (Ok(7), true));
    }
}
