//! Measures what a session costs: memory on the nodes, bytes and commands on the wire.

use std::mem;
use std::time::Instant;

use tokio::task::JoinSet;

use super::{Stage, enter, insist};
use crate::Fallible;
use crate::results::{Audit, CommandsPerRequest, PhaseName, Sharing, Wire};
use crate::shopper::{Answer, Client, Jar, Load, Question, Shopper, Tally};
use crate::store::Relay;

/// How many clients begin sessions at once when memory is measured.
const CROWD: usize = 8;
const ENOUGH: u32 = 100;

impl Stage<'_> {
    /// Begins sessions and leaves them alone, and divides the growth of the nodes by their number.
    pub(super) async fn memory_per_session(&mut self) -> Fallible<Option<f64>> {
        let Some(before) = self.fleet.resident_bytes() else { return Ok(None) };
        let mut visits = JoinSet::new();
        for _ in 0..CROWD {
            let until = Instant::now() + self.tempo.crowd_time;
            visits.spawn(visitors(self.client.clone(), self.tempo.crowd / CROWD, until));
        }
        let begun: u32 = visits.join_all().await.into_iter().sum();
        let after = self.fleet.resident_bytes();
        let growth = after.map(|after| after.saturating_sub(before) as f64);
        // With few sessions, only the other work of the nodes would show.
        Ok(growth.filter(|_| begun >= ENOUGH).map(|growth| growth / f64::from(begun)))
    }

    pub(super) async fn steady(&mut self) -> Fallible<(Wire, Audit)> {
        let (client, servers) = (self.balancer.meter.read(), self.fleet.traffic().await?);
        let load = Load::begin(mem::take(&mut self.shoppers));
        self.visits(&load, self.tempo.steady).await?;
        self.end_load(load, PhaseName::Steady).await?;
        let (client_after, servers_after) =
            (self.balancer.meter.read(), self.fleet.traffic().await?);
        let requests = self.phases.last().map_or(1, |phase| phase.requests).max(1) as f64;
        let audit = self.remark_on_losses("Under steady load").await?;
        let wire = Wire {
            from_client: (client_after.received - client.received) as f64 / requests,
            to_client: (client_after.sent - client.sent) as f64 / requests,
            // Shared stores are counted later, with a relay that would disturb the times here.
            between_servers: match self.strategy.sharing {
                Sharing::None | Sharing::Cookie => Some(0.0),
                Sharing::Copies => Some((servers_after - servers) as f64 / requests),
                Sharing::Store => None,
            },
        };
        Ok((wire, audit))
    }

    /// Looks at the carts, and makes a remark of what is lost while nothing is broken.
    pub(super) async fn remark_on_losses(&mut self, when: &str) -> Fallible<Audit> {
        let audit = self.audit().await?;
        if audit.adds_missing > 0 {
            let (missing, carts) = (audit.adds_missing, audit.carts_lost + audit.carts_shrunk);
            self.remarks.push(format!(
                "{when}, with nothing broken, {missing} acknowledged adds were missing from {carts} \
                 carts."
            ));
        }
        if audit.adds_too_many > 0 {
            let too_many = audit.adds_too_many;
            self.remarks.push(format!("{when}, {too_many} adds were there that nobody had sent."));
        }
        Ok(audit)
    }

    /// Runs on a node of its own, because a relay would show in the latency of the others.
    pub(super) async fn count_on_the_wire(
        &self,
        wire: &mut Wire,
    ) -> Fallible<Option<CommandsPerRequest>> {
        let Some((relay, url)) = self.store.relay().await? else { return Ok(None) };
        let node = self.fleet.start("wire".into(), &url).await?;
        let count = Count { relay, client: Client::to(node.address), probes: self.tempo.probes };
        let (steady, bytes) = count.steady(self.options.seed).await?;
        wire.between_servers = Some(bytes);
        Ok(Some(CommandsPerRequest {
            untouched: count.commands_for(&Question::Health).await?,
            read: count.commands_for(&Question::Session).await?,
            write: count.commands_for(&Question::Add("fig", None)).await?,
            login: count.commands_for(&Question::Login("prober".into())).await?,
            logout: count.commands_for(&Question::Logout).await?,
            steady,
        }))
    }
}

/// Begins sessions one after the other, and returns how many.
async fn visitors(client: Client, number: usize, until: Instant) -> u32 {
    let mut begun = 0;
    for _ in 0..number {
        if Instant::now() > until {
            break;
        }
        let answer = client.ask(&mut Jar::default(), &Question::Add("fig", None)).await;
        begun += u32::from(matches!(answer, Answer::Acknowledged(_)));
    }
    begun
}

struct Count {
    relay: Relay,
    client: Client,
    probes: u32,
}

impl Count {
    /// Counts the store commands of one request of this kind in a session that exists.
    async fn commands_for(&self, question: &Question) -> Fallible<f64> {
        let mut commands = 0;
        for _ in 0..self.probes {
            insist(question, async || {
                let mut jar = Jar::default();
                let begun = self.client.ask(&mut jar, &Question::Add("fig", None)).await;
                if !matches!(begun, Answer::Acknowledged(_)) {
                    return begun;
                }
                let before = self.relay.commands();
                let answer = self.client.ask(&mut jar, question).await;
                if matches!(answer, Answer::Acknowledged(_)) {
                    commands += self.relay.commands() - before;
                }
                answer
            })
            .await?;
        }
        Ok(commands as f64 / f64::from(self.probes))
    }

    /// Measures the commands and bytes by request of a shopper as under steady load.
    async fn steady(&self, seed: u64) -> Fallible<(f64, f64)> {
        let mut shopper = Shopper::new(0, seed, self.client.clone());
        enter(&mut shopper, &mut Tally::default()).await?;
        let (commands, bytes) = (self.relay.commands(), self.relay.bytes());
        let requests = self.probes * 10;
        for _ in 0..requests {
            let question = shopper.next();
            shopper.ask(&question).await;
        }
        let by_request = |count: u64| count as f64 / f64::from(requests);
        Ok((by_request(self.relay.commands() - commands), by_request(self.relay.bytes() - bytes)))
    }
}
