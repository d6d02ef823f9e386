//! Visitors who log out right before something breaks. A store that acknowledges before all of its
//! servers know may bring their sessions back.

use tokio::task::JoinSet;

use super::logouts::{BEFORE, Shop};
use super::{Stage, insist};
use crate::Fallible;
use crate::results::Departures;
use crate::shopper::{Answer, Jar, Question};

/// How often visitors are let in and logged out until a logout is acknowledged.
const ATTEMPTS: usize = 5;

/// Visitors with sessions.
pub(super) struct Leavers {
    shop: Shop,
    jars: Vec<Jar>,
}

/// The same visitors after their logouts were acknowledged.
pub(super) struct Left {
    /// What the browser holds, and a copy from before the logout.
    jars: Vec<(Jar, Jar)>,
}

impl Stage<'_> {
    /// Lets as many visitors in as there are shoppers.
    pub(super) async fn leavers(&self) -> Fallible<Leavers> {
        let shop = self.shop();
        let mut jars = Vec::new();
        for number in 0..self.options.shoppers() {
            let mut jar = Jar::default();
            let login = Question::Login(format!("leaver-{number}"));
            for question in [login, Question::Add(BEFORE, None)] {
                insist(&question, async || shop.client.ask(&mut jar, &question).await).await?;
            }
            jars.push(jar);
        }
        Ok(Leavers { shop, jars })
    }

    /// Logs all of them out. If no logout is acknowledged, as when the machine is too busy for the limits of the
    /// shop, lets others in and logs them out: a fault without acknowledged logouts would show nothing about them.
    pub(super) async fn all_leave(&self, leavers: Leavers) -> Fallible<Left> {
        let mut left = leavers.leave().await?;
        for _ in 1..ATTEMPTS {
            if !left.jars.is_empty() {
                break;
            }
            left = self.leavers().await?.leave().await?;
        }
        Ok(left)
    }
}

impl Leavers {
    /// Logs all of them out at the same moment. Those whose logout is not acknowledged are left out.
    async fn leave(self) -> Fallible<Left> {
        let mut logouts = JoinSet::new();
        for before in self.jars {
            let client = self.shop.client.clone();
            logouts.spawn(async move {
                let mut jar = before.clone();
                let answer = client.ask(&mut jar, &Question::Logout).await;
                matches!(answer, Answer::Acknowledged(_)).then_some((jar, before))
            });
        }
        let mut jars = Vec::new();
        while let Some(done) = logouts.join_next().await {
            jars.extend(done?);
        }
        Ok(Left { jars })
    }
}

impl Left {
    /// Counts the sessions that one of the nodes shows again.
    pub(super) async fn came_back(self, shop: &Shop) -> Fallible<Departures> {
        let mut departures =
            Departures { acknowledged: self.jars.len() as u64, ..Departures::default() };
        for (jar, before) in self.jars {
            departures.revived += u64::from(shop.is_back(jar).await?);
            departures.revived_by_copy += u64::from(shop.is_back(before).await?);
        }
        Ok(departures)
    }
}
