//! The shoppers of the cart.

use tokio::time::timeout;

use super::crowd::Crowd;
use super::graves::Graves;
use super::ledger::Check;
use super::rounds::{PATIENCE, Rounds};
use super::shopper::{Shopper, check_dead};
use crate::examples::Visitor;
use crate::fleet::Fleet;

/// Shoppers with one session, shoppers with many, and sleepers, who fill a cart and come back at the end.
#[derive(Debug)]
pub struct Shoppers {
    rounds: Rounds,
    sleepers: Vec<Shopper>,
    graves: Graves,
}

impl Crowd for Shoppers {
    const EXAMPLE: &'static str = "cart";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[];

    async fn enter(fleet: &Fleet) -> Result<Self, String> {
        let (mut rounds, graves) = (Rounds::default(), Graves::default());
        for (name, has_one_session) in [("ada", true), ("eve", false), ("dan", false)] {
            let mut shopper = Shopper::new(name, fleet.visitor(), graves.clone());
            rounds.begin(name, async move |turns| {
                match has_one_session {
                    true => shopper.shop_in_one_session(&turns).await,
                    false => shopper.shop_in_many_sessions(&turns).await,
                }
                .map(|()| shopper.trade)
            });
        }
        Ok(Self { rounds, sleepers: Vec::new(), graves })
    }

    fn rounds(&mut self) -> &mut Rounds {
        &mut self.rounds
    }

    fn graves(&self) -> &Graves {
        &self.graves
    }

    /// Fills a cart that nobody looks at until the end.
    async fn leave_a_sleeper(&mut self, fleet: &Fleet) -> Check {
        let name = format!("sleeper-{}", self.sleepers.len());
        let mut sleeper = Shopper::new(&name, fleet.visitor(), self.graves.clone());
        timeout(PATIENCE, sleeper.begin()).await.map_err(|_| "no session begins".to_owned())??;
        self.sleepers.push(sleeper);
        Ok(())
    }

    async fn wake_the_sleepers(&mut self) -> Check {
        for (number, sleeper) in self.sleepers.iter_mut().enumerate() {
            let woken = sleeper.wake().await;
            woken.map_err(|broken| format!("sleeper {number}: {broken}"))?;
        }
        Ok(())
    }

    async fn check_dead(visitor: &Visitor, cookie: &str) -> Check {
        check_dead(visitor, Some(cookie)).await
    }
}
