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

/// What can be put into a cart.
const SKUS: [&str; 6] = ["apple", "pear", "plum", "lemon", "cherries", "fig"];

/// One person with a browser.
#[derive(Debug)]
pub(crate) struct Shopper {
    pub(crate) name: String,
    pub(crate) jar: Jar,
    pub(crate) ledger: Ledger,
    client: Client,
    choices: fastrand::Rng,
}

impl Shopper {
    pub(crate) fn new(number: usize, seed: u64, client: Client) -> Self {
        // Neighbouring seeds must not begin alike.
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        let (name, choices) = (format!("shopper-{number}"), fastrand::Rng::with_seed(seed));
        Self { name, jar: Jar::default(), ledger: Ledger::default(), client, choices }
    }

    /// One request in four adds something, the others look.
    pub(crate) fn next(&mut self) -> Question {
        match self.choices.u8(0..4) {
            0 => Question::Add(self.choice(), None),
            _ => Question::Session,
        }
    }

    pub(crate) fn choice(&mut self) -> &'static str {
        SKUS[self.choices.usize(0..SKUS.len())]
    }

    /// Asks, and writes down what the answer means for the cart.
    pub(crate) async fn ask(&mut self, question: &Question) -> Answer {
        let answer = self.client.ask(&mut self.jar, question).await;
        self.ledger.note(question, &answer);
        answer
    }
}
