//! One run: a seed's plan from the first visit to the audit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};

use super::browser::{Browser, ring};
use super::changes::look_at_all;
use super::handler::Broken;
use super::ledger::{IDLE, LIFETIME, View};
use super::network::Network;
use super::plan::{Plan, SERVERS, VisitPlan};
use super::planted::Fault;
use super::random::{drawn_ids, entropy, seed_entropy};
use super::world::{START, Tally, Trace, World};
use crate::clock::{ManualClock, Timestamp};
use crate::cookie::Ticket;
use crate::id::{SessionId, StoreKey};
use crate::{LazySession, OutagePolicy, SessionLayer};

/// Longer than anything that a request leaves behind takes.
const QUIET: Duration = Duration::from_secs(6);

pub(super) struct Outcome {
    pub(super) violation: Option<String>,
    pub(super) trace: Trace,
    pub(super) tally: Tally,
}

pub(super) fn run(seed: u64, planted: Option<Fault>) -> Outcome {
    let plan = Plan::draw(seed);
    seed_entropy(seed);
    let world = Arc::new(World::new(seed, plan.bad_weather, planted));
    let clock = world.clock.clone();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // Virtual time moves only while the runtime has nothing else to do.
        .on_thread_unpark(move || follow(&clock))
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        EPOCH.set(Some(Instant::now()));
        happen(&world, plan).await;
    });
    drop(runtime);
    EPOCH.set(None);
    let mut state = world.state();
    Outcome {
        violation: state.ledger.violation.take(),
        trace: std::mem::take(&mut state.trace),
        tally: state.tally,
    }
}

thread_local! {
    static EPOCH: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

fn follow(clock: &ManualClock) {
    if let Some(epoch) = EPOCH.get() {
        clock.set(START.saturating_add(epoch.elapsed()));
    }
}

async fn happen(world: &Arc<World>, plan: Plan) {
    let browser = Browser::new(Arc::clone(world), servers(world));
    let epoch = Instant::now();
    let visits: Vec<_> = plan
        .visits
        .into_iter()
        .map(|visit| tokio::spawn(browser.clone().visit(visit, epoch)))
        .collect();
    for visit in visits {
        visit.await.expect("a visit does not panic");
    }
    world.state().bad_weather = 0;
    // Handlers that were left behind, then their commits, then their commands.
    sleep(QUIET).await;
    while world.state().travelling > 0 {
        sleep(QUIET).await;
    }
    let covered = world.state().tally;
    Auditor { browser, ids: ids() }.audit().await;
    let mut state = world.state();
    let renewals = state.ledger.lineages.renewals();
    state.tally = Tally { renewals, expiries: state.tally.expiries, ..covered };
}

fn servers(world: &Arc<World>) -> Arc<[SessionLayer]> {
    let layer = |number| {
        let layer = SessionLayer::new(Network(Arc::clone(world)), ring())
            .clock(world.clock.clone())
            .idle_timeout(IDLE)
            .absolute_lifetime(LIFETIME)
            .entropy(entropy);
        match number {
            0 => layer.on_outage(|_| OutagePolicy::Anonymous),
            _ => layer,
        }
    };
    (0..SERVERS).map(layer).collect()
}

fn ids() -> BTreeMap<StoreKey, SessionId> {
    drawn_ids().into_iter().map(|id| (id.store_key(), id)).collect()
}

/// Looks at everything once more, through the library, with tickets for every id there is.
struct Auditor {
    browser: Browser,
    ids: BTreeMap<StoreKey, SessionId>,
}

impl Auditor {
    async fn audit(&self) {
        let lineages = self.browser.world.state().ledger.lineages.known();
        for keys in &lineages {
            let found = self.look(keys).await;
            self.enter(&found);
            if let Some((key, _)) = found.iter().find(|(_, view)| view.is_some()) {
                self.change(*key).await;
                self.enter(&self.look(keys).await);
            }
        }
        let world = &self.browser.world;
        let gone = lineages.iter().filter(|keys| keys.iter().all(|key| self.is_over(key))).count();
        world.state().tally.expiries += gone as u64;
    }

    fn enter(&self, found: &[(StoreKey, Option<View>)]) {
        let world = &self.browser.world;
        let now = world.now();
        world.note(usize::MAX, format!("audits {found:?}"));
        world.state().ledger.audit(found, now);
    }

    /// Whether it has ended by its deadline.
    fn is_over(&self, key: &StoreKey) -> bool {
        let world = &self.browser.world;
        let (now, state) = (world.now(), world.state());
        state.ledger.lineages.deadline(*key) <= now
    }

    async fn look(&self, keys: &[StoreKey]) -> Vec<(StoreKey, Option<View>)> {
        let mut found = Vec::new();
        for key in keys {
            found.push((*key, self.read(*key).await));
        }
        found
    }

    async fn read(&self, key: StoreKey) -> Option<View> {
        let server = &self.browser.servers[1];
        let service = server.layer(service_fn(|request: http::Request<()>| async move {
            let lazy = request.extensions().get::<LazySession>().cloned().ok_or(Broken)?;
            let session = lazy.load().await.map_err(|_| Broken)?;
            let found = match session.is_new() {
                true => None,
                false => Some(look_at_all(&session).map_err(|_| Broken)?),
            };
            let mut response = http::Response::new(());
            response.extensions_mut().insert(found);
            Ok::<_, Broken>(response)
        }));
        let cookie = format!("__Host-id={}", self.ticket(key));
        let request = http::Request::builder().header("cookie", cookie).body(());
        let read = service.oneshot(request.expect("a valid request")).await;
        match read {
            Ok(response) => response.extensions().get::<Option<View>>().cloned().flatten(),
            Err(Broken) => {
                let ledger = &mut self.browser.world.state().ledger;
                ledger.accuse("P12 a session can be read", || key.to_string());
                None
            }
        }
    }

    /// A session that has weathered all that can be changed as ever.
    async fn change(&self, key: StoreKey) {
        let status = self.browser.present(Some(self.ticket(key)), VisitPlan::last()).await;
        let ledger = &mut self.browser.world.state().ledger;
        ledger.demand(status == Some(200), "P5 a live session can be changed", || {
            format!("{key} answers {status:?}")
        });
    }

    fn ticket(&self, key: StoreKey) -> String {
        let id = self.ids[&key].clone();
        let ticket = Ticket { id, expires: Timestamp::MAX };
        self.browser.mint.sign(&ticket).to_string()
    }
}
