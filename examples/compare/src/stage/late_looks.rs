//! Looks on other servers right after one server has acknowledged a change or a logout.
//!
//! Every look goes straight to its node, past the balancer, which would send a visitor to one node only
//! where sessions are sticky.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::logouts::{BEFORE, is_earlier_session};
use super::{PAUSE, STEP_TIMEOUT, Stage};
use crate::Fallible;
use crate::results::{LateLooks, Sharing};
use crate::shopper::{Answer, Client, Jar, Question, SessionView};

/// The item of the change that the other servers are asked for.
const CHANGED: &str = "lemon";

impl Stage<'_> {
    /// Lets half of the visitors change something and the other half log out, all at the same time.
    pub(super) async fn late_looks(&self) -> Fallible<Option<LateLooks>> {
        if self.strategy.sharing != Sharing::Store {
            return Ok(None);
        }
        let nodes: Vec<_> = self.fleet.nodes.iter().map(|node| Client::to(node.address)).collect();
        let mut visits = JoinSet::new();
        for number in 0..self.options.shoppers() {
            visits.spawn(change(nodes.clone(), format!("changer-{number}")));
            visits.spawn(log_out(nodes.clone(), format!("watched-leaver-{number}")));
        }
        let mut looks = LateLooks::default();
        while let Some(done) = visits.join_next().await {
            add(&mut looks, done??);
        }
        Ok(Some(looks))
    }
}

async fn change(nodes: Vec<Client>, user: String) -> Fallible<LateLooks> {
    let (first, others, mut jar) = begin(&nodes, user).await?;
    let question = Question::Add(CHANGED, None);
    acknowledged(first, &mut jar, &question).await?;
    let late = lateness(others, &jar, |view| view.items.contains_key(CHANGED)).await?;
    Ok(LateLooks {
        changes: late.len() as u64,
        changes_late: late.iter().flatten().count() as u64,
        longest_seconds: longest(&late),
        ..LateLooks::default()
    })
}

async fn log_out(nodes: Vec<Client>, user: String) -> Fallible<LateLooks> {
    let (first, others, mut jar) = begin(&nodes, user).await?;
    let before = jar.clone();
    acknowledged(first, &mut jar, &Question::Logout).await?;
    let late = lateness(others, &before, |view| !is_earlier_session(view)).await?;
    Ok(LateLooks {
        logouts: late.len() as u64,
        logouts_late: late.iter().flatten().count() as u64,
        longest_seconds: longest(&late),
        ..LateLooks::default()
    })
}

/// Begins a session on the first node, and reads it on the others, which may remember it from then on.
async fn begin(nodes: &[Client], user: String) -> Fallible<(&Client, &[Client], Jar)> {
    let (first, others) = nodes.split_first().ok_or("there is no node")?;
    let mut jar = Jar::default();
    for question in [Question::Login(user), Question::Add(BEFORE, None)] {
        acknowledged(first, &mut jar, &question).await?;
    }
    for other in others {
        other.session(&mut jar).await.ok_or("nobody shows the session")?;
    }
    Ok((first, others, jar))
}

/// Repeats a request until it is acknowledged. The future of `insist` could not go to another thread.
async fn acknowledged(node: &Client, jar: &mut Jar, question: &Question) -> Fallible<()> {
    let begun = Instant::now();
    while !matches!(node.ask(jar, question).await, Answer::Acknowledged(_)) {
        if begun.elapsed() > STEP_TIMEOUT {
            return Err(format!("{question:?}: not acknowledged within {STEP_TIMEOUT:?}").into());
        }
        sleep(10 * PAUSE).await;
    }
    Ok(())
}

/// Looks on each of these nodes until what it shows is up to date. Returns for each when, after now, the
/// last look began that was not; `None` if its first look was up to date.
async fn lateness(
    nodes: &[Client],
    jar: &Jar,
    is_up_to_date: fn(&SessionView) -> bool,
) -> Fallible<Vec<Option<Duration>>> {
    let acknowledged = Instant::now();
    let mut watches = JoinSet::new();
    for node in nodes {
        let (node, mut jar) = (node.clone(), jar.clone());
        watches.spawn(async move {
            let mut late = None;
            loop {
                let begun = acknowledged.elapsed();
                let view = node.session(&mut jar).await.ok_or("nobody shows the session")?;
                if is_up_to_date(&view) {
                    return Fallible::Ok(late);
                }
                if begun > STEP_TIMEOUT {
                    return Err(format!("a look was late for {begun:?}").into());
                }
                late = Some(begun);
                sleep(PAUSE).await;
            }
        });
    }
    watches.join_all().await.into_iter().collect()
}

fn longest(late: &[Option<Duration>]) -> f64 {
    late.iter().flatten().max().map_or(0.0, Duration::as_secs_f64)
}

fn add(all: &mut LateLooks, one: LateLooks) {
    all.changes += one.changes;
    all.changes_late += one.changes_late;
    all.logouts += one.logouts;
    all.logouts_late += one.logouts_late;
    all.longest_seconds = all.longest_seconds.max(one.longest_seconds);
}
