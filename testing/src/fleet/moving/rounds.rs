//! Tasks that do the same again and again, beside each other, until they are told to stop.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ledger::Check;
use super::trade::Trade;

/// The longest that anybody may take for a few rounds, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The rounds that every task finishes between two changes of the nodes.
const ROUNDS: u64 = 1;

#[derive(Debug, Default)]
pub struct Rounds {
    stop: watch::Sender<bool>,
    counts: Vec<watch::Receiver<u64>>,
    tasks: JoinSet<Result<Trade, String>>,
}

impl Rounds {
    /// Begins a task. Its error gets the name.
    pub fn begin<F>(&mut self, name: &'static str, task: impl FnOnce(Turns) -> F)
    where
        F: Future<Output = Result<Trade, String>> + Send + 'static,
    {
        let turns = Turns { stop: self.stop.subscribe(), done: watch::Sender::new(0) };
        self.counts.push(turns.done.subscribe());
        let task = task(turns);
        self.tasks.spawn(async move { task.await.map_err(|broken| format!("{name}: {broken}")) });
    }

    /// Returns when every task has finished a few more rounds.
    pub async fn go_on(&mut self) -> Check {
        let goals: Vec<_> = self.counts.iter().map(|count| *count.borrow() + ROUNDS).collect();
        let all = async {
            for (count, goal) in self.counts.iter_mut().zip(goals) {
                let reached = count.wait_for(|rounds| *rounds >= goal).await;
                reached.map_err(|_| "somebody has given up".to_owned())?;
            }
            Ok(())
        };
        timeout(PATIENCE, all).await.map_err(|_| "somebody is stuck".to_owned())?
    }

    /// Lets the tasks finish their rounds, and returns the sum of what they did, or the first broken promise.
    pub async fn end(&mut self) -> Result<Trade, String> {
        self.stop.send_replace(true);
        let mut trade = Trade::default();
        loop {
            match timeout(PATIENCE, self.tasks.join_next()).await {
                Ok(Some(joined)) => trade += joined.expect("a task")?,
                Ok(None) => return Ok(trade),
                Err(_) => return Err("somebody does not leave".to_owned()),
            }
        }
    }
}

/// The rounds of one task.
#[derive(Debug)]
pub struct Turns {
    stop: watch::Receiver<bool>,
    done: watch::Sender<u64>,
}

impl Turns {
    /// Counts a round that is finished.
    pub fn count(&self) {
        self.done.send_modify(|rounds| *rounds += 1);
    }

    /// Returns whether no further round shall begin.
    pub fn are_over(&self) -> bool {
        *self.stop.borrow()
    }
}
