//! The nodes of an example change their store under a crowd that goes on, as `docs/moving.md` describes it.
//!
//! `rounds.rs`, `graves.rs` and `told.rs` are for every crowd. The shoppers of the cart are in `shoppers.rs` and
//! `shopper.rs`, with their account in `ledger.rs`; the users of the login example are in `members`.

mod crowd;
mod graves;
mod ledger;
mod members;
mod rest;
mod rounds;
mod shopper;
mod shoppers;
mod told;
mod trade;

use super::{Fleet, Leaving, build};
use crowd::{is_complete, the_dead_rest};
use ledger::{Check, holds};

pub use crowd::Crowd;
pub use members::Members;
pub use rest::{keys_of_files, keys_of_redis, move_the_rest};
pub use shoppers::Shoppers;
pub use trade::Trade;

const NODES: usize = 3;

/// The node that is killed in each roll-out, where the others are drained.
const KILLED: usize = 1;

/// The steps of `docs/moving.md`, in their order.
pub const STEPS: [usize; 4] = [0, 1, 2, 3];

/// From which store to which one the sessions move.
#[derive(Clone, Copy, Debug)]
pub struct StoreMove<'a> {
    pub from: &'a str,
    pub to: &'a str,
    /// The features that the example needs for the two stores.
    pub features: &'a str,
    /// Further environment variables.
    pub variables: &'a [(&'a str, &'a str)],
}

impl StoreMove<'_> {
    /// Rolls out one of these steps after the other, one node at a time, while a crowd uses the nodes.
    /// `before_the_last` runs before a roll-out of the new store alone, and `after_it` after it.
    ///
    /// Returns what the crowd did, or the first promise that was broken.
    pub async fn under_load<C: Crowd>(
        &self,
        steps: &[usize],
        before_the_last: impl AsyncFnOnce() -> Check,
        after_it: impl FnOnce(),
    ) -> Result<Trade, String> {
        let variables = [C::VARIABLES, self.variables].concat();
        for store in [self.from, self.to] {
            let variables = [&variables[..], &[("STORE", store)]].concat();
            build(C::EXAMPLE, store, self.features, &variables);
        }
        let store = self.url(steps[0]);
        let mut fleet = Fleet::of(C::EXAMPLE, NODES, &store, self.features, &variables).await;
        let mut crowd = C::enter(&fleet).await?;
        let rolled = async {
            crowd.rounds().go_on().await?;
            let (last, steps) = steps[1..].split_last().expect("two steps");
            for step in steps {
                self.roll_out(*step, &mut fleet, &mut crowd).await?;
            }
            before_the_last().await?;
            self.roll_out(*last, &mut fleet, &mut crowd).await?;
            after_it();
            crowd.rounds().go_on().await?;
            is_complete(&mut crowd, &fleet).await
        }
        .await;
        // A broken promise comes first: it tells more than that the roll-out waited in vain for whoever saw it.
        let trade = crowd.rounds().end().await?;
        rolled?;
        let is_in_service = trade.without_an_answer * 4 <= trade.done;
        holds(is_in_service, || format!("too many requests got no answer: {trade:?}"))?;
        Ok(trade)
    }

    async fn roll_out<C: Crowd>(&self, step: usize, fleet: &mut Fleet, crowd: &mut C) -> Check {
        let store = self.url(step);
        let variables = [C::VARIABLES, self.variables, &[("STORE", &*store)]].concat();
        for node in 0..NODES {
            crowd.leave_a_sleeper(fleet).await?;
            let leaving = if node == KILLED { Leaving::Killed } else { Leaving::Drained };
            fleet.replace(node, leaving, C::EXAMPLE, &variables).await;
            crowd.rounds().go_on().await?;
            the_dead_rest(crowd, fleet).await?;
        }
        Ok(())
    }

    /// Returns the URL of a step.
    fn url(&self, step: usize) -> String {
        let moving = |first| {
            let (from, to) = (percent_encoded(self.from), percent_encoded(self.to));
            format!("moving:?from={from}&to={to}&first={first}")
        };
        match step {
            0 => self.from.to_owned(),
            1 => moving("old"),
            2 => moving("new"),
            _ => self.to.to_owned(),
        }
    }
}

fn percent_encoded(url: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    url.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_have_the_urls_of_the_guide() {
        let (from, to) = ("redis://cache:6379", "dynamodb://sessions");
        let moves = StoreMove { from, to, features: "", variables: &[] };
        let moving = "moving:?from=redis%3A%2F%2Fcache%3A6379&to=dynamodb%3A%2F%2Fsessions&first=";
        let urls = [from.to_owned(), format!("{moving}old"), format!("{moving}new"), to.to_owned()];
        assert_eq!(STEPS.map(|step| moves.url(step)), urls);
    }
}
