//! The shoppers of a fleet, all at once.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ledger::Check;
use super::shopper::{Done, Graves, Shopper, check_dead};
use super::trade::Trade;
use crate::examples::Visitor;
use crate::fleet::Fleet;

/// The longest that shoppers may take for a few rounds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The rounds that every shopper finishes between two changes of the nodes.
const ROUNDS: u64 = 1;

/// So many of the oldest and of the newest ended sessions are tried again at every node after each change.
const TRIED_AGAIN: usize = 4;

/// Shoppers with one session, shoppers with many, and sleepers, who fill a cart and come back at the end.
#[derive(Debug)]
pub struct Crowd {
    stop: watch::Sender<bool>,
    rounds: Vec<watch::Receiver<u64>>,
    tasks: JoinSet<Result<Trade, String>>,
    sleepers: Vec<Shopper>,
    graves: Graves,
}

impl Crowd {
    pub fn enter(fleet: &Fleet) -> Self {
        let (stop, graves) = (watch::Sender::new(false), Graves::default());
        let (mut rounds, mut tasks) = (Vec::new(), JoinSet::new());
        for (name, has_one_session) in [("ada", true), ("eve", false), ("dan", false)] {
            let mut shopper = Shopper::new(name, fleet.visitor(), graves.clone());
            let (stop, done) = (stop.subscribe(), Done(watch::Sender::new(0)));
            rounds.push(done.0.subscribe());
            tasks.spawn(async move {
                match has_one_session {
                    true => shopper.shop_in_one_session(&stop, &done).await,
                    false => shopper.shop_in_many_sessions(&stop, &done).await,
                }
                .map(|()| shopper.trade)
                .map_err(|broken| format!("{name}: {broken}"))
            });
        }
        Self { stop, rounds, tasks, sleepers: Vec::new(), graves }
    }

    /// Returns when every shopper has finished a few more rounds.
    pub async fn goes_on(&mut self) -> Check {
        let goals: Vec<_> = self.rounds.iter().map(|rounds| *rounds.borrow() + ROUNDS).collect();
        let all = async {
            for (rounds, goal) in self.rounds.iter_mut().zip(goals) {
                let reached = rounds.wait_for(|rounds| *rounds >= goal).await;
                reached.map_err(|_| "a shopper has given up".to_owned())?;
            }
            Ok(())
        };
        timeout(PATIENCE, all).await.map_err(|_| "the shoppers are stuck".to_owned())?
    }

    /// Fills a cart that nobody looks at until the end.
    pub async fn leave_a_sleeper(&mut self, fleet: &Fleet) -> Check {
        let name = format!("sleeper-{}", self.sleepers.len());
        let mut sleeper = Shopper::new(&name, fleet.visitor(), self.graves.clone());
        timeout(PATIENCE, sleeper.begin()).await.map_err(|_| "no session begins".to_owned())??;
        self.sleepers.push(sleeper);
        Ok(())
    }

    /// Tries the cookies of sessions that are over at every node: some of the oldest and of the newest.
    pub async fn the_dead_rest(&self, fleet: &Fleet) -> Check {
        let graves = self.graves.all();
        let oldest = graves.iter().take(TRIED_AGAIN);
        let newest = graves.iter().skip(TRIED_AGAIN).rev().take(TRIED_AGAIN);
        let chosen: Vec<_> = oldest.chain(newest).collect();
        for node in 0..fleet.nodes.len() {
            let visitor = Visitor::to(fleet.url(node));
            for cookie in &chosen {
                check_dead(&visitor, Some(cookie)).await?;
            }
        }
        Ok(())
    }

    /// Wakes the sleepers, and tries all sessions that are over.
    pub async fn is_complete(&mut self, fleet: &Fleet) -> Check {
        for (number, sleeper) in self.sleepers.iter_mut().enumerate() {
            let woken = sleeper.wake().await;
            woken.map_err(|broken| format!("sleeper {number}: {broken}"))?;
        }
        let visitor = fleet.visitor();
        for cookie in self.graves.all() {
            check_dead(&visitor, Some(&cookie)).await?;
        }
        Ok(())
    }

    /// Lets the shoppers finish their rounds, and returns what they did, or the first broken promise.
    pub async fn leave(mut self) -> Result<Trade, String> {
        self.stop.send_replace(true);
        let mut trade = Trade::default();
        loop {
            match timeout(PATIENCE, self.tasks.join_next()).await {
                Ok(Some(joined)) => trade += joined.expect("a shopper")?,
                Ok(None) => return Ok(trade),
                Err(_) => return Err("a shopper does not leave".to_owned()),
            }
        }
    }
}
