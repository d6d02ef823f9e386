//! Steady load: shoppers who send requests until they are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Shopper;
use super::client::{Answer, Question};
use super::pulse::Pulses;
use super::tally::Tally;
use crate::Fallible;

/// How long a shopper waits after a request that failed.
const PAUSE: Duration = Duration::from_millis(20);

/// Shoppers at work. They stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    tasks: JoinSet<(Shopper, Tally)>,
    is_over: Arc<AtomicBool>,
    pub(crate) pulses: Arc<Pulses>,
    pub(crate) begun: Instant,
}

impl Load {
    pub(crate) fn begin(shoppers: Vec<Shopper>) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let pulses = Arc::new(Pulses::new(shoppers.len()));
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for (number, shopper) in shoppers.into_iter().enumerate() {
            tasks.spawn(visit(shopper, number, Arc::clone(&is_over), Arc::clone(&pulses)));
        }
        Self { tasks, is_over, pulses, begun }
    }

    /// Stops after every request under way has ended.
    pub(crate) async fn end(mut self) -> Fallible<(Vec<Shopper>, Tally)> {
        self.is_over.store(true, Ordering::Relaxed);
        let (mut shoppers, mut tally) = (Vec::new(), Tally::default());
        while let Some(done) = self.tasks.join_next().await {
            let (shopper, own) = done?;
            shoppers.push(shopper);
            tally.add(own);
        }
        Ok((shoppers, tally))
    }
}

async fn visit(
    mut shopper: Shopper,
    number: usize,
    is_over: Arc<AtomicBool>,
    pulses: Arc<Pulses>,
) -> (Shopper, Tally) {
    let mut tally = Tally::default();
    while !is_over.load(Ordering::Relaxed) {
        let question: Question = shopper.next();
        let begun = Instant::now();
        let answer = shopper.ask(&question).await;
        let ended = Instant::now();
        tally.note(&answer, ended - begun);
        // A conflict counts as served: the shop did answer.
        let is_served = matches!(answer, Answer::Acknowledged(_) | Answer::Conflict);
        pulses.beat(number, begun, ended, is_served);
        if !is_served {
            sleep(PAUSE).await;
        }
    }
    (shopper, tally)
}
