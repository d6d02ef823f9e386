//! Logouts while another request of the same session is under way.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{PAUSE, STEP_TIMEOUT, Stage};
use crate::Fallible;
use crate::results::{Logouts, PhaseName};
use crate::shopper::{Answer, Client, Jar, Question, SessionView, Tally};

/// An item that is in the cart before the logout and is never added later. A cart that shows it
/// afterwards is the old session, not one that a late request has begun.
pub(super) const BEFORE: &str = "fig";
const LATE: &str = "plum";
/// The longest that the shop holds a request back.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

impl Stage<'_> {
    pub(super) async fn logouts(&mut self) -> Fallible<Logouts> {
        let begun = Instant::now();
        let (mut logouts, mut tally) = (Logouts::default(), Tally::default());
        for _ in 0..self.tempo.races {
            let mut races = JoinSet::new();
            for number in 0..self.options.shoppers() {
                let (shop, user) = (self.shop(), format!("racer-{number}"));
                races.spawn(until_raced(shop, user, self.tempo.hold));
            }
            while let Some(done) = races.join_next().await {
                let (own, requests) = done??;
                logouts.raced += own.raced;
                logouts.revived += own.revived;
                logouts.revived_by_copy += own.revived_by_copy;
                tally.add(requests);
            }
        }
        self.phases.push(tally.phase(PhaseName::Logouts, begun.elapsed()));
        Ok(logouts)
    }

    pub(super) fn shop(&self) -> Shop {
        let (client, nodes) = (self.client.clone(), self.fleet.nodes.len());
        Shop { client, nodes, staleness: self.staleness() }
    }
}

/// The shop as a visitor finds it who looks whether a session is back.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) client: Client,
    nodes: usize,
    /// How long a node may show what was.
    staleness: Duration,
}

impl Shop {
    /// Returns whether a node shows the session, and would still show it after the staleness.
    pub(super) async fn is_back(&self, jar: Jar) -> Fallible<bool> {
        if !self.shows(jar.clone()).await? {
            return Ok(false);
        }
        if self.staleness.is_zero() {
            return Ok(true);
        }
        sleep(self.staleness).await;
        self.shows(jar).await
    }

    /// Asks once for each node, because each may have another answer.
    async fn shows(&self, mut jar: Jar) -> Fallible<bool> {
        let mut is_shown = false;
        for _ in 0..self.nodes {
            let view = self.client.session(&mut jar).await.ok_or("nobody sees a session")?;
            is_shown |= is_earlier_session(&view);
        }
        Ok(is_shown)
    }
}

/// Repeats the race with more time if the late request was done before the logout, as on a busy
/// machine.
async fn until_raced(shop: Shop, user: String, mut hold: Duration) -> Fallible<(Logouts, Tally)> {
    let (mut logouts, mut tally) = (Logouts::default(), Tally::default());
    loop {
        let (own, requests) = race(&shop, &user, hold).await?;
        logouts.raced += own.raced;
        logouts.revived += own.revived;
        logouts.revived_by_copy += own.revived_by_copy;
        tally.add(requests);
        hold *= 2;
        if logouts.raced > 0 || hold > LONGEST_HOLD {
            return Ok((logouts, tally));
        }
    }
}

async fn race(shop: &Shop, user: &str, hold: Duration) -> Fallible<(Logouts, Tally)> {
    let client = &shop.client;
    let (mut jar, mut tally) = (Jar::default(), Tally::default());
    // The login is first: one that is not acknowledged may have ended the session before it.
    for question in [Question::Login(user.to_owned()), Question::Add(BEFORE, None)] {
        let begun = Instant::now();
        while !matches!(
            timed(client, &mut jar, &question, &mut tally).await,
            Answer::Acknowledged(_)
        ) {
            if begun.elapsed() > STEP_TIMEOUT {
                return Err(
                    format!("{question:?}: not acknowledged within {STEP_TIMEOUT:?}").into()
                );
            }
            sleep(10 * PAUSE).await;
        }
    }
    let before = jar.clone();
    let held = u64::try_from(hold.as_millis())?;
    let late = {
        let (client, mut jar) = (client.clone(), before.clone());
        tokio::spawn(async move {
            client.ask(&mut jar, &Question::Add(LATE, Some(held))).await;
            jar
        })
    };
    sleep(hold / 3).await;
    let answer = timed(client, &mut jar, &Question::Logout, &mut tally).await;
    let is_acknowledged = matches!(answer, Answer::Acknowledged(_));
    let is_raced = is_acknowledged && !late.is_finished();
    // The browser keeps the last cookie that it is sent.
    jar.follow(&before, &late.await?);
    let mut logouts = Logouts { raced: u64::from(is_raced), ..Logouts::default() };
    // Only an acknowledged logout counts.
    if is_acknowledged {
        logouts.revived = u64::from(shop.is_back(jar).await?);
        logouts.revived_by_copy = u64::from(shop.is_back(before).await?);
    }
    Ok((logouts, tally))
}

async fn timed(client: &Client, jar: &mut Jar, question: &Question, tally: &mut Tally) -> Answer {
    let begun = Instant::now();
    let answer = client.ask(jar, question).await;
    tally.note(&answer, begun.elapsed());
    answer
}

pub(super) fn is_earlier_session(view: &SessionView) -> bool {
    view.user.is_some() || view.items.contains_key(BEFORE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_session_that_a_late_request_has_begun_is_not_the_one_of_before() {
        let view = |user: Option<&str>, sku: &str| SessionView {
            user: user.map(str::to_owned),
            items: BTreeMap::from([(sku.to_owned(), 1)]),
        };
        assert!(!is_earlier_session(&view(None, LATE)));
        assert!(is_earlier_session(&view(None, BEFORE)));
        assert!(is_earlier_session(&view(Some("racer-1"), LATE)));
        assert!(!is_earlier_session(&SessionView::default()));
    }
}
