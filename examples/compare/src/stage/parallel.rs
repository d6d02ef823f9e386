//! Several tabs of one browser add things at the same moment.

use std::mem;
use std::time::Instant;

use tokio::task::JoinSet;

use super::Stage;
use crate::Fallible;
use crate::results::{Audit, PhaseName};
use crate::shopper::{Client, Question, Shopper, Tally};

impl Stage<'_> {
    pub(super) async fn parallel_adds(&mut self) -> Fallible<Audit> {
        let begun = Instant::now();
        let mut tally = Tally::default();
        for _ in 0..self.tempo.rounds {
            let mut visits = JoinSet::new();
            for shopper in mem::take(&mut self.shoppers) {
                visits.spawn(tabs(shopper, self.client.clone(), self.tempo.tabs));
            }
            while let Some(done) = visits.join_next().await {
                let (shopper, own) = done??;
                self.shoppers.push(shopper);
                tally.add(own);
            }
        }
        self.phases.push(tally.phase(PhaseName::ParallelAdds, begun.elapsed()));
        self.audit().await
    }
}

async fn tabs(mut shopper: Shopper, client: Client, tabs: usize) -> Fallible<(Shopper, Tally)> {
    let question = Question::Add(shopper.choice(), None);
    let before = shopper.jar.clone();
    let mut open = JoinSet::new();
    for _ in 0..tabs {
        let (mut jar, client, question) = (before.clone(), client.clone(), question.clone());
        open.spawn(async move {
            let begun = Instant::now();
            let answer = client.ask(&mut jar, &question).await;
            (jar, answer, begun.elapsed())
        });
    }
    let mut tally = Tally::default();
    // Answers are handled as they arrive, because a later cookie replaces an earlier one.
    while let Some(done) = open.join_next().await {
        let (jar, answer, took) = done?;
        shopper.ledger.note(&question, &answer);
        shopper.jar.follow(&before, &jar);
        tally.note(&answer, took);
    }
    Ok((shopper, tally))
}
