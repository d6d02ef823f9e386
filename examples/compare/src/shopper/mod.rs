//! Who visits the shop: HTTP clients with cookie jars, each with a list of what was acknowledged.

mod client;
mod jar;
mod ledger;
mod load;
mod pulse;
mod tally;

pub(crate) use client::{Answer, Client, Question, Seen};
pub(crate) use jar::Jar;
pub(crate) use ledger::{Ledger, merged};
pub(crate) use load::Load;
pub(crate) use tally::Tally;

use crate::results::Audit;

/// What can be put into a cart, by the aisle it is in. All shop in one aisle at a time, so that what
/// was in a cart before a phase can be told from what came into it meanwhile.
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
        // Neighbouring seeds must not begin alike.
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        let (name, choices) = (format!("shopper-{number}"), fastrand::Rng::with_seed(seed));
        Self { name, jar: Jar::default(), ledger: Ledger::default(), client, aisle: 0, choices }
    }

    /// One request in four adds something, the others look.
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

    /// Asks, and writes down what the answer means for the cart.
    pub(crate) async fn ask(&mut self, question: &Question) -> Answer {
        let answer = self.client.ask(&mut self.jar, question).await;
        self.ledger.note(question, &answer);
        answer
    }

    /// The cart against what the shop shows, if it does; from then on in the next aisle.
    pub(crate) async fn audit(&mut self) -> Option<Audit> {
        let seen = self.client.session(&mut self.jar).await?;
        let audit = self.ledger.audit(&seen, &AISLES[self.aisle]);
        self.aisle = (self.aisle + 1) % AISLES.len();
        Some(audit)
    }
}
