//! The users of the login example: alice ends her own sessions, the administrator ends those of mallory, and
//! sessions of the administrator sleep.

mod account;
mod browser;
mod user;

use tokio::time::timeout;

use super::crowd::Crowd;
use super::graves::Graves;
use super::ledger::Check;
use super::rounds::{PATIENCE, Rounds, Turns};
use super::trade::Trade;
use crate::examples::Visitor;
use crate::fleet::Fleet;
use crate::fleet::logins::{ALICE, MALLORY, ROOT};
use browser::Browser;
use user::User;

/// The browsers that alice has at the same time, and mallory.
const BROWSERS: usize = 4;

/// Users with several browsers each, and sessions of the administrator, who comes back to them at the end.
#[derive(Debug)]
pub struct Members {
    rounds: Rounds,
    /// The administrator. Each browser is a sleeper, but the one that ends the sessions of others.
    root: User,
    graves: Graves,
}

impl Crowd for Members {
    const EXAMPLE: &'static str = "login";
    /// No login shall be ended by the limit.
    const VARIABLES: &'static [(&'static str, &'static str)] = &[("LIMIT", "1000")];

    async fn enter(fleet: &Fleet) -> Result<Self, String> {
        let (mut rounds, graves) = (Rounds::default(), Graves::default());
        let mut root = User::new(ROOT, fleet.visitor(), graves.clone());
        root.log_in(1).await?;
        let admin = root.browsers.pop().expect("the browser that has logged in");
        let alice = User::new(ALICE, fleet.visitor(), graves.clone());
        let mallory = User::new(MALLORY, fleet.visitor(), graves.clone());
        rounds.begin("alice", async move |turns| ends_her_own(alice, &turns).await);
        rounds.begin("mallory", async move |turns| is_ended(mallory, admin, &turns).await);
        Ok(Self { rounds, root, graves })
    }

    fn rounds(&mut self) -> &mut Rounds {
        &mut self.rounds
    }

    fn graves(&self) -> &Graves {
        &self.graves
    }

    async fn leave_a_sleeper(&mut self, _: &Fleet) -> Check {
        let login = self.root.log_in(self.root.browsers.len() + 1);
        timeout(PATIENCE, login).await.map_err(|_| "no sleeper logs in".to_owned())?
    }

    async fn wake_the_sleepers(&mut self) -> Check {
        for (number, sleeper) in self.root.browsers.iter_mut().enumerate() {
            let woken = sleeper.look().await;
            woken.map_err(|broken| format!("sleeper {number}: {broken}"))?;
        }
        self.root.look().await.map_err(|broken| format!("the sleepers: {broken}"))?;
        self.root.write_notes(0).await?;
        self.root.renew().await?;
        self.root.look().await
    }

    async fn check_dead(visitor: &Visitor, cookie: &str) -> Check {
        browser::check_dead(visitor, cookie).await
    }
}

/// Has some sessions, of which one stays from round to round, and ends the others in every way that a user has.
async fn ends_her_own(mut alice: User, turns: &Turns) -> Result<Trade, String> {
    while !turns.are_over() {
        alice.log_in(BROWSERS).await?;
        alice.look().await?;
        alice.end_one().await?;
        alice.renew().await?;
        alice.log_out().await?;
        alice.write_notes(0).await?;
        alice.look().await?;
        alice.end_others().await?;
        alice.look().await?;
        turns.count();
    }
    Ok(alice.counts.sum())
}

/// Has some sessions, until the administrator ends all of them. A later login lives.
async fn is_ended(mut mallory: User, mut admin: Browser, turns: &Turns) -> Result<Trade, String> {
    for round in 0_u64.. {
        mallory.log_in(BROWSERS).await?;
        mallory.look().await?;
        admin.write(format!("round {round}")).await?;
        mallory.be_ended(&mut admin).await?;
        mallory.log_in(mallory.browsers.len() + 1).await?;
        mallory.look().await?;
        mallory.is_seen_by(&mut admin).await?;
        turns.count();
        if turns.are_over() {
            break;
        }
    }
    Ok(mallory.counts.sum())
}
