//! The audit at the end of a run: it reads every session once more, through the library.

use std::collections::BTreeMap;

use http::header::COOKIE;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

use super::browser::Browser;
use super::handler::ServiceFailed;
use super::ledger::Contents;
use super::operations::read_all;
use super::plan::VisitPlan;
use super::random::drawn_ids;
use super::setup::COOKIE_NAME;
use crate::LazySession;
use crate::clock::Timestamp;
use crate::cookie::Ticket;
use crate::id::{SessionId, StoreKey};

/// Reads with tickets for every id that the run has drawn, so that it also finds sessions whose
/// tickets reached nobody.
pub(super) struct Auditor {
    browser: Browser,
    ids: BTreeMap<StoreKey, SessionId>,
}

impl Auditor {
    pub(super) fn new(browser: Browser) -> Self {
        let ids = drawn_ids().into_iter().map(|id| (id.store_key(), id)).collect();
        Self { browser, ids }
    }

    pub(super) async fn audit(&self) {
        let lineages = self.browser.world.state().ledger.lineages.with_tickets();
        for keys in &lineages {
            let found = self.read_lineage(keys).await;
            self.record(&found);
            if let Some((key, _)) = found.iter().find(|(_, contents)| contents.is_some()) {
                self.change(*key).await;
                self.record(&self.read_lineage(keys).await);
            }
        }
        let has_expired = |keys: &&Vec<_>| keys.iter().all(|key| self.has_expired(key));
        let expired = lineages.iter().filter(has_expired).count();
        self.browser.world.state().coverage.expiries += expired as u64;
    }

    fn record(&self, found: &[(StoreKey, Option<Contents>)]) {
        let world = &self.browser.world;
        let now = world.now();
        world.note(usize::MAX, format!("audits {found:?}"));
        world.state().ledger.check_audit(found, now);
    }

    fn has_expired(&self, key: &StoreKey) -> bool {
        let world = &self.browser.world;
        let (now, state) = (world.now(), world.state());
        state.ledger.lineages.deadline(*key) <= now
    }

    async fn read_lineage(&self, keys: &[StoreKey]) -> Vec<(StoreKey, Option<Contents>)> {
        let mut found = Vec::new();
        for key in keys {
            found.push((*key, self.read(*key).await));
        }
        found
    }

    async fn read(&self, key: StoreKey) -> Option<Contents> {
        // The first server goes on without a session when the store fails; this one does not.
        let server = &self.browser.servers[1];
        let service = server.layer(service_fn(|request: Request<()>| async move {
            let lazy = request.extensions().get::<LazySession>().cloned().ok_or(ServiceFailed)?;
            let session = lazy.load().await.map_err(|_| ServiceFailed)?;
            let found = match session.is_new() {
                true => None,
                false => Some(read_all(&session).map_err(|_| ServiceFailed)?),
            };
            let mut response = Response::new(());
            response.extensions_mut().insert(found);
            Ok::<_, ServiceFailed>(response)
        }));
        let cookie = format!("{COOKIE_NAME}={}", self.ticket(key));
        let request = Request::builder().header(COOKIE, cookie).body(());
        let read = service.oneshot(request.expect("a valid request")).await;
        match read {
            Ok(response) => response.extensions().get::<Option<Contents>>().cloned().flatten(),
            Err(ServiceFailed) => {
                let ledger = &mut self.browser.world.state().ledger;
                ledger.demand(false, "P12 a session can be read", || key.to_string());
                None
            }
        }
    }

    /// Checks that a session which has outlived all faults can be changed.
    async fn change(&self, key: StoreKey) {
        let status = self.browser.present(Some(self.ticket(key)), VisitPlan::last()).await;
        let ledger = &mut self.browser.world.state().ledger;
        ledger.demand(status == Some(200), "P5 a live session can be changed", || {
            format!("{key} answers {status:?}")
        });
    }

    /// Makes a ticket of the last turn, which no record refuses.
    fn ticket(&self, key: StoreKey) -> String {
        let id = self.ids[&key].clone();
        let ticket = Ticket { turn: u16::MAX, ..Ticket::new(id, Timestamp::MAX) };
        self.browser.mint.sign(&ticket).to_string()
    }
}
