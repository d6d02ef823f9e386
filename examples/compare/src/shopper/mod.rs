//! The shoppers: HTTP clients with cookie jars, each with a list of what was acknowledged.

mod client;
mod jar;
mod ledger;
mod load;
mod pulse;
mod tally;

pub(crate) use client::{Answer, Client, Question, SessionView};
pub(crate) use jar::Jar;
pub(crate) use ledger::{Ledger, merged};
pub(crate) use load::Load;
pub(crate) use tally::{Tally, latency};

use std::time::Duration;

use tokio::time::sleep;

use crate::results::Audit;

/// The items by aisle. All shoppers use one aisle at a time, so that what was in a cart before a
/// phase differs from what was added during it.
const AISLES: [[&str; 2]; 3] = [["apple", "pear"], ["plum", "lemon"], ["cherries", "fig"]];

/// One person with a browser.
#[derive(Debug)]
pub(crate) struct Shopper {
    pub(crate) name: String,
    pub(crate) jar: Jar,
    pub(crate) ledger: Ledger,
    client: Client,
    aisle: usize,
    choices: fastrand::Rng,
}

impl Shopper {
    pub(crate) fn new(number: usize, seed: u64, client: Client) -> Self {
        // Seeds that are close to each other must not give similar choices.
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        let (name, choices) = (format!("shopper-{number}"), fastrand::Rng::with_seed(seed));
        Self { name, jar: Jar::default(), ledger: Ledger::default(), client, aisle: 0, choices }
    }

    /// Chooses the next request: one in four adds something, the others look at the cart.
    pub(crate) fn next(&mut self) -> Question {
        match self.choices.u8(0..4) {
            0 => Question::Add(self.choice(), None),
            _ => Question::Session,
        }
    }

    pub(crate) fn choice(&mut self) -> &'static str {
        let aisle = AISLES[self.aisle];
        aisle[self.choices.usize(0..aisle.len())]
    }

    /// Sends a request and notes what its answer means for the cart.
    pub(crate) async fn ask(&mut self, question: &Question) -> Answer {
        let answer = self.client.ask(&mut self.jar, question).await;
        self.ledger.note(question, &answer);
        answer
    }

    /// Compares the list with what the shop shows, if it shows it, and goes on to the next aisle.
    ///
    /// A server may show what was, for as long as `staleness`. So what is missing is looked for once
    /// more after that time.
    pub(crate) async fn audit(&mut self, staleness: Duration) -> Option<Audit> {
        let present = &AISLES[self.aisle];
        let mut view = self.client.session(&mut self.jar).await?;
        if !staleness.is_zero() && self.ledger.clone().audit(&view, present).adds_missing > 0 {
            sleep(staleness).await;
            view = self.client.session(&mut self.jar).await?;
        }
        let audit = self.ledger.audit(&view, present);
        self.aisle = (self.aisle + 1) % AISLES.len();
        Some(audit)
    }
}
