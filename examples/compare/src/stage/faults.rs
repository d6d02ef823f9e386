//! Things that break while people shop.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::leavers::Left;
use super::{PAUSE, STEP_TIMEOUT, Stage, enter, until};
use crate::Fallible;
use crate::results::{Fault, Growth, PhaseName};
use crate::shopper::{Load, Shopper, Tally};
use crate::store::Breakage;

impl Stage<'_> {
    pub(super) async fn kill_a_node(&mut self) -> Fallible<Fault> {
        let leavers = self.leavers().await?;
        let load = self.begin_load().await?;
        let left = self.all_leave(leavers).await?;
        load.pulses.begin_anew(Instant::now());
        let name = self.fleet.kill_one()?;
        // The balancer first has to notice the fault: until then a shopper may be served by luck.
        let targets = &self.balancer.targets;
        until("an unhealthy node", || (!targets.is_healthy(&name)).then_some(())).await?;
        self.recover(load, left, PhaseName::NodeKilled, format!("SIGKILL of {name}")).await
    }

    pub(super) async fn outage(&mut self) -> Fallible<Option<Fault>> {
        let Some(breakage) = self.store.breakage else { return Ok(None) };
        let leavers = self.leavers().await?;
        let load = self.begin_load().await?;
        let left = self.all_leave(leavers).await?;
        let what = match breakage {
            Breakage::Standstill => {
                self.store.freeze()?;
                sleep(self.tempo.outage).await;
                load.pulses.begin_anew(Instant::now());
                self.store.thaw()?;
                let seconds = self.tempo.outage.as_secs_f64();
                format!("the store stood still for {seconds} s (SIGSTOP, SIGCONT)")
            }
            Breakage::Failover => {
                load.pulses.begin_anew(Instant::now());
                self.store.kill()?;
                "SIGKILL of the primary; the Sentinels promoted its replica".into()
            }
        };
        Ok(Some(self.recover(load, left, PhaseName::StoreOutage, what).await?))
    }

    async fn begin_load(&mut self) -> Fallible<Load> {
        let load = Load::begin(mem::take(&mut self.shoppers));
        self.visits(&load, self.tempo.lead).await?;
        Ok(load)
    }

    /// Waits until every shopper is served again, and a little longer.
    async fn recover(
        &mut self,
        load: Load,
        left: Left,
        name: PhaseName,
        what: String,
    ) -> Fallible<Fault> {
        recovery(&load).await;
        self.visits(&load, self.tempo.tail).await?;
        // Asked again, because a shopper may have been refused since.
        let seconds = recovery(&load).await.map(|time| time.as_secs_f64());
        self.end_load(load, name).await?;
        let logouts = Some(left.came_back(&self.shop()).await?);
        Ok(Fault { what, audit: self.audit().await?, logouts, seconds_until_healthy: seconds })
    }

    /// Adds a node, and a third as many shoppers more.
    pub(super) async fn grow(&mut self) -> Fallible<Growth> {
        let nodes_before = self.fleet.nodes.len();
        let begin = self.balancer.targets.shares();
        let load = self.begin_load().await?;
        let before = since(&begin, &self.balancer.targets.shares());
        let begun = Instant::now();
        let name = self.add_node().await?;
        let seconds = begun.elapsed().as_secs_f64();
        let begin = self.balancer.targets.shares();
        let (newcomers, tally) = self.newcomers().await?;
        let more = Load::begin(newcomers);
        self.visits(&load, self.tempo.lead + self.tempo.tail).await?;
        let (newcomers, more) = more.end().await?;
        let after = since(&begin, &self.balancer.targets.shares());
        let began = load.begun;
        let (shoppers, mut all) = load.end().await?;
        all.add(tally);
        all.add(more);
        self.phases.push(all.phase(PhaseName::NodeAdded, began.elapsed()));
        self.shoppers = shoppers.into_iter().chain(newcomers).collect();
        Ok(Growth {
            nodes_before,
            nodes_after: self.fleet.nodes.len(),
            busiest_share_before: busiest(&before),
            busiest_share_after: busiest(&after),
            newcomers_share: share(&after, &name),
            audit: self.audit().await?,
            seconds_until_healthy: Some(seconds),
        })
    }

    async fn newcomers(&self) -> Fallible<(Vec<Shopper>, Tally)> {
        let (known, mut tally) = (self.options.shoppers(), Tally::default());
        let numbers = known..known + known.div_ceil(3);
        let mut newcomers: Vec<_> = numbers
            .map(|number| Shopper::new(number, self.options.seed, self.client.clone()))
            .collect();
        for shopper in &mut newcomers {
            enter(shopper, &mut tally).await?;
        }
        Ok((newcomers, tally))
    }
}

/// Waits until every shopper is served again; `None` if that does not happen.
async fn recovery(load: &Load) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < STEP_TIMEOUT {
        if let Some(time) = load.pulses.recovery() {
            return Some(time);
        }
        sleep(PAUSE).await;
    }
    None
}

type Shares = BTreeMap<String, u64>;

fn since(begin: &Shares, end: &Shares) -> Shares {
    let served = |name: &String| begin.get(name).copied().unwrap_or_default();
    end.iter().map(|(name, all)| (name.clone(), all - served(name))).collect()
}

fn busiest(shares: &Shares) -> f64 {
    shares.keys().map(|name| share(shares, name)).fold(0.0, f64::max)
}

fn share(shares: &Shares, name: &str) -> f64 {
    let all: u64 = shares.values().sum();
    shares.get(name).copied().unwrap_or_default() as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_was_served_meanwhile() {
        let begin = Shares::from([("one".into(), 100), ("two".into(), 50)]);
        let end = Shares::from([("one".into(), 103), ("two".into(), 60), ("three".into(), 7)]);
        let served = since(&begin, &end);
        assert!((busiest(&served) - 0.5).abs() < 1e-9);
        assert!((share(&served, "three") - 0.35).abs() < 1e-9);
        assert!(share(&served, "four").abs() < 1e-9);
        assert!(busiest(&Shares::new()).abs() < 1e-9);
    }
}
