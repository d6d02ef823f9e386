//! Sessions that are kept in a store; the visitor's cookie holds a ticket to one.

mod commands;
mod commit;
mod early_touch;
mod fresh_id;
mod listing;
mod logout;
mod looked;
mod proven;
mod queue;
mod roster;
mod settle;
mod turn;

use std::sync::Arc;

use http::HeaderMap;

use super::command::TimeLimit;
use super::found::{Address, Found, Live, Lost};
use super::reading::Reading;
use super::report::Named;
use super::slot::Slot;
use super::state::{Stage, State};
use super::terms::Terms;
use super::work::Work;
use crate::clock::Timestamp;
use crate::cookie::{Carrier, Presented, Refusal, SetCookies, Ticket, TicketFinder, TicketMint};
use crate::error::{SessionError, StoreErrorKind};
use crate::events::{CommandKind, EndedBy, SessionChange};
use crate::id::StoreKey;
use crate::keys::KeyRing;
use crate::record::{Mark, SealKeys};
use crate::store::{Entry, LoadedNear, NearLoad, SessionStore};
use commands::Commands;
use commit::Commit;
use early_touch::touch_early;
use fresh_id::{Issuer, address_of};
use logout::{Ended, Known, Logout, Tally, Target, unconfirmed_unless_gone};
use looked::Looked;
use proven::{Proven, admit, load_newest, report_outdated};
use queue::Queues;
pub(crate) use roster::{Rosters, Spared};

/// A store together with one layer's keys and carrier.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    store: Arc<dyn SessionStore>,
    mint: TicketMint,
    seal_keys: SealKeys,
    finder: TicketFinder,
    pub(super) carrier: Carrier,
    queues: Queues,
    looked: Looked,
}

impl Kept {
    pub(super) fn new(store: Arc<dyn SessionStore>, keys: &KeyRing, carrier: &Carrier) -> Self {
        Self {
            store,
            mint: TicketMint::new(keys, carrier.bound_name()),
            seal_keys: SealKeys::new(keys, carrier.bound_name()),
            finder: TicketFinder::new(carrier),
            carrier: carrier.clone(),
            queues: Queues::default(),
            looked: Looked::default(),
        }
    }

    /// Copies the request's tickets, which have a fixed length. Cloning the `Cookie` headers instead
    /// may allocate, and most requests never look at their session.
    pub(super) fn present(&self, headers: &HeaderMap) -> Presented {
        self.finder.present(headers)
    }

    /// Reads the session that the request's ticket leads to.
    pub(super) async fn load(
        &self,
        presented: &Presented,
        reading: Reading,
        terms: &Terms,
        limit: &mut TimeLimit,
    ) -> Result<Found, SessionError> {
        // Each look at the clock costs a twentieth of a bare request.
        let before = match presented.candidates() {
            [] => Timestamp::default(),
            _ => terms.now(),
        };
        let at = match self.prove(presented, terms, before) {
            Proven::None(_) => return Ok(Found::Nothing),
            Proven::One(at) => at,
            // Boxed, because hardly any request has several.
            Proven::Several(addresses) => {
                limit.begin();
                let commands = self.commands(terms, *limit);
                return Box::pin(load_newest(addresses, presented, commands, terms)).await;
            }
        };
        if let (true, Some(near)) = (reading != Reading::FreshUse, self.store.load_near(&at.key)) {
            // Boxed, so that the loads of stores without such a memory stay small.
            return Box::pin(self.load_near(at.clone(), near, presented, terms, limit)).await;
        }
        let began = terms.report.begin_command();
        let loaded = limit.run_first(StoreErrorKind::Unavailable, self.store.load(&at.key)).await;
        terms.report.command(CommandKind::Load, began, &loaded, |_| true, false);
        read_first(at, loaded?, presented, terms)
    }

    /// Reads the session in this server's memory, or in a copy that may lag behind. What is there counts only if it
    /// shows a live session; anything else is asked of the store.
    async fn load_near(
        &self,
        at: Address,
        near: NearLoad<'_>,
        presented: &Presented,
        terms: &Terms,
        limit: &mut TimeLimit,
    ) -> Result<Found, SessionError> {
        let began = terms.report.begin_command();
        let loaded = limit.run_first(StoreErrorKind::Unavailable, near).await;
        if !matches!(loaded, Ok(LoadedNear::Held { .. })) {
            terms.report.command(CommandKind::Load, began, &loaded, |_| true, false);
        }
        let entry = match loaded? {
            LoadedNear::Fresh(entry) => entry,
            LoadedNear::Held { entry, as_of } | LoadedNear::Lagging { entry, as_of } => {
                let old = terms.read_own(at.clone(), Some(entry), terms.now());
                let old = old.unwrap_or_default();
                if let Some(live) = old.held_since(as_of) {
                    return Ok(admitted(Found::Live(live), at.turn, presented, terms));
                }
                limit.begin();
                self.commands(terms, *limit).load(&at.key).await?
            }
        };
        read_first(at, entry, presented, terms)
    }

    fn commands<'a>(&'a self, terms: &'a Terms, limit: TimeLimit) -> Commands<'a> {
        Commands { store: &*self.store, limit, report: &terms.report }
    }

    /// Moves the deadline of the session that was just loaded, if a handler could outlast it.
    pub(super) async fn touch_early(&self, slot: &Slot, terms: &Terms, limit: &TimeLimit) {
        touch_early(slot, self.rosters(terms, *limit)).await;
    }

    fn prove(&self, presented: &Presented, terms: &Terms, now: Timestamp) -> Proven {
        let address = |ticket: &Ticket| address_of(ticket, &self.seal_keys, terms);
        let proven = Proven::find(&self.mint, presented, now, address);
        if let (true, Proven::None(refusal)) = (presented.any(), &proven)
            && presented.is_first_report()
        {
            let why = refusal.unwrap_or(Refusal::Malformed);
            terms.report.cookie_refused(why, presented.client);
        }
        proven
    }

    /// Begins the store's part of a commit.
    pub(super) fn commit<'a>(&'a self, work: &Work<'a>) -> Commit<'a> {
        let Work { slot, terms, .. } = *work;
        let commands = self.commands(terms, work.limit());
        let Self { mint, seal_keys, carrier, queues, looked, .. } = self;
        let issuer = Issuer { commands, terms, mint, seal_keys, carrier, queues, looked };
        Commit { issuer, slot }
    }

    /// Whether a session that a request reads is to look although its deadline is not to be moved: it is moved
    /// too rarely, or not at all.
    pub(super) fn is_look_due(&self, live: &Live, terms: &Terms) -> bool {
        let limit = TimeLimit { command: terms.command_timeout, deadline: None };
        let commands = self.commands(terms, limit);
        commands.looks(terms, &live.record)
            && terms.is_rarely_moved(live)
            && self.looked.is_due(&live.key, terms.now())
    }

    /// Works with the rosters of principals.
    pub(super) fn rosters<'a>(&'a self, terms: &'a Terms, limit: TimeLimit) -> Rosters<'a> {
        let commands = self.commands(terms, limit);
        let (bound_name, queues) = (self.carrier.bound_name(), &self.queues);
        Rosters { commands, terms, bound_name, queues }
    }

    /// Ends the session in the store, and every other one whose ticket the request carries. Returns
    /// the cookies that the response will carry.
    pub(super) async fn log_out(
        &self,
        work: &Work<'_>,
    ) -> Result<Option<SetCookies>, SessionError> {
        let Work { presented, slot, terms, .. } = *work;
        let commands = self.commands(terms, work.limit());
        let by = if slot.is_detached() { EndedBy::Users } else { EndedBy::Visitor };
        let logout = Logout { commands, terms, by };
        let mut tally = Tally::default();
        let mut key = None;
        if let Some(target) = self.target(presented, slot, terms) {
            key = Some(target.key);
            let was_loaded = matches!(target.known, Known::Session { .. });
            tally.add(logout.run(target).await, was_loaded);
        }
        let left = begun_anew_after(&slot.read());
        if presented.has_several() || left.is_some() {
            // Boxed, because hardly any request has several.
            Box::pin(self.log_out_others(key, left, presented, logout, &mut tally)).await;
        }
        tally.confirmed()?;
        // A visitor who sent no cookie has none to lose, and may just be logging in elsewhere.
        Ok(presented.any().then(|| [self.carrier.removal()].into()))
    }

    /// Ends the sessions of the request's other tickets: if one stayed alive, the browser would send it next,
    /// and the visitor would be logged in still. Also ends what became of the session that this
    /// handle had before a login began anew. One that cannot be ended does not keep the rest from ending.
    async fn log_out_others(
        &self,
        ended: Option<StoreKey>,
        left: Option<Lost>,
        presented: &Presented,
        logout: Logout<'_>,
        tally: &mut Tally,
    ) {
        if let Some(left) = left {
            // Where nothing is found, nothing that this visitor has a ticket for lives on.
            let run = logout.run(Target::loaded(&left, None)).await;
            tally.add(run.map(|_| Ended::Before), false);
        }
        if presented.has_several() {
            let proven = self.prove(presented, logout.terms, logout.terms.now());
            for at in proven.addresses().iter().filter(|at| Some(at.key) != ended) {
                let run = logout.run(Target::by_id(at.key)).await;
                tally.add(run.map_err(unconfirmed_unless_gone), false);
            }
        }
    }

    fn target(&self, presented: &Presented, slot: &Slot, terms: &Terms) -> Option<Target> {
        // A visitor ends the session of the browser, whoever has logged in to it since. A session from a list
        // of a user's sessions is that login's alone.
        let only = |lost: &Lost| lost.owner.clone().filter(|_| slot.is_detached());
        {
            let state = slot.read();
            match (&state.found, state.lost.as_deref(), &state.stage) {
                (Found::Live(live), ..) => {
                    let lost = live.as_lost();
                    let target = Target::loaded(&lost, Some(live.version));
                    let (only, handle) = (only(&lost), live.record.handle);
                    return Some(Target { only, handle, ..target });
                }
                (_, Some(lost), _) => {
                    return Some(Target { only: only(lost), ..Target::loaded(lost, None) });
                }
                (Found::Mark { key, mark: Mark::Moved { to, at, .. }, .. }, ..) => {
                    return Some(Target::marked(*key, *to, *at));
                }
                // Whoever has one of its tickets may end it.
                (Found::Outdated { key, .. }, ..) => return Some(Target::by_id(*key)),
                // All that this request could load is over; it may have more tickets. A revoked session is
                // not, on servers that do not know of it yet.
                (_, _, Stage::Loaded) if terms.revocations.is_none() => return None,
                _ => {}
            }
        }
        Some(Target::by_id(self.prove(presented, terms, terms.now()).addresses().first()?.key))
    }
}

/// Reads the answer to a request's first look.
fn read_first(
    at: Address,
    entry: Option<Entry>,
    presented: &Presented,
    terms: &Terms,
) -> Result<Found, SessionError> {
    let (key, turn) = (at.key, at.turn);
    // Not the time from before: the store took its time, in which the session may have expired.
    let found = terms.read_own(at, entry, terms.now())?;
    if matches!(found, Found::Nothing) && presented.is_first_report() {
        terms.report.session(Named::new(&key, None), SessionChange::FoundExpired);
    }
    Ok(admitted(found, turn, presented, terms))
}

/// Refuses the request's only ticket if its turn is over, and tells of it.
fn admitted(found: Found, turn: u16, presented: &Presented, terms: &Terms) -> Found {
    let found = admit(found, turn, terms);
    report_outdated(&found, presented, terms);
    found
}

/// Returns the session that this handle had loaded before a login began anew.
fn begun_anew_after(state: &State) -> Option<Lost> {
    state.found.live().and(state.lost.as_deref().cloned())
}
