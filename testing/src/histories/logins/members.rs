//! Users who are logged in at several devices, each device at any node, and who end each other's.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::calls::{Answer, Handle, Operation, User};
use super::site::{Client, Site, Ticket};
use crate::histories::crowd::{Closing, Crowd, PATIENCE, until_answered};
use crate::random::Random;

/// The user of each device.
const DEVICES: [User; 9] = [
    User::Alice,
    User::Alice,
    User::Alice,
    User::Alice,
    User::Mallory,
    User::Mallory,
    User::Mallory,
    User::Root,
    User::Root,
];
/// The latest tickets of others with which a device reads now and then.
const LATEST: usize = 24;

pub(super) fn enter(site: &Arc<Site>, random: &mut Random) -> Crowd<Ticket> {
    let closing = Closing::default();
    let tickets = Arc::new(Tickets::default());
    let device = |(client, user)| Device {
        client,
        user,
        site: site.clone(),
        tickets: tickets.clone(),
        closing: closing.clone(),
        listed: Vec::new(),
        random: random.fork(),
    };
    let devices: Vec<_> = DEVICES.into_iter().enumerate().map(device).collect();
    Crowd::start(closing.clone(), devices.into_iter().map(Device::run))
}

pub(super) async fn look_again(site: &Site, tickets: &[Ticket], random: &mut Random) {
    // Reads first: a list is longer, and few sessions have a ticket that still works.
    for operation in [Operation::Read, Operation::List] {
        for ticket in tickets {
            let call = async || {
                let node = random.index(site.http.nodes());
                let client = Client { number: DEVICES.len(), node, patience: PATIENCE };
                site.call(client, ticket, operation).await
            };
            let is_answered = |answer: &_| !matches!(answer, Answer::Unknown(_) | Answer::NotSent);
            until_answered(call, is_answered).await;
        }
    }
}

/// The tickets of all devices.
#[derive(Default, Debug)]
struct Tickets {
    received: Mutex<Vec<Ticket>>,
    /// The number of logins so far, whether they begin a session or renew one.
    sessions: AtomicU32,
}

impl Tickets {
    fn add(&self, ticket: Ticket) {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(ticket);
    }

    fn next_session(&self) -> u32 {
        self.sessions.fetch_add(1, Ordering::SeqCst)
    }

    fn draw(&self, random: &mut Random) -> Option<Ticket> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = &received[received.len().saturating_sub(LATEST)..];
        (!latest.is_empty()).then(|| latest[random.index(latest.len())].clone())
    }
}

struct Device {
    client: usize,
    user: User,
    site: Arc<Site>,
    tickets: Arc<Tickets>,
    closing: Closing,
    /// The sessions of the user in the last list, without the own one.
    listed: Vec<Handle>,
    random: Random,
}

impl Device {
    /// Logs in, uses the session until it is over, and so on. Returns all tickets that were received.
    async fn run(mut self) -> Vec<Ticket> {
        let mut received = Vec::new();
        while !self.closing.has_come() {
            match self.log_in().await {
                Some(ticket) => {
                    self.keep(&ticket, &mut received);
                    self.use_up(ticket, &mut received).await;
                }
                None => sleep(self.random.millis(20, 60)).await,
            }
        }
        received
    }

    fn keep(&self, ticket: &Ticket, received: &mut Vec<Ticket>) {
        self.tickets.add(ticket.clone());
        received.push(ticket.clone());
    }

    /// Begins a session with one call. Without an answer there may be one, and nobody has its ticket.
    async fn log_in(&mut self) -> Option<Ticket> {
        let (session, held) = (self.tickets.next_session(), self.hold());
        let client = self.at_some_node(held, 5, 120);
        self.site.log_in(client, self.user, session, held).await.1
    }

    /// Logs in again in the own session. Returns the new ticket. Without an answer the old one may work or not.
    async fn renew(&mut self, ticket: &Ticket) -> Option<Ticket> {
        let (session, held) = (self.tickets.next_session(), self.hold());
        let client = self.at_some_node(held, 5, 120);
        self.site.renew(client, ticket, session, held).await.1
    }

    async fn use_up(&mut self, mut ticket: Ticket, received: &mut Vec<Ticket>) {
        let calls = 30 + self.random.below(60);
        for _ in 0..calls {
            if self.closing.has_come() {
                return;
            }
            let is_over = match self.random.below(1_000) {
                0..300 => self.call(&ticket, Operation::List).await,
                300..450 => self.read_with_any_ticket().await,
                450..500 => self.end_a_device(&ticket).await,
                500..504 => self.call(&ticket, Operation::EndOthers).await,
                504..514 if self.user == User::Root => self.end_all(&ticket).await,
                514..540 => {
                    if let Some(next) = self.renew(&ticket).await {
                        self.keep(&next, received);
                        ticket = next;
                    }
                    false
                }
                _ => self.call(&ticket, Operation::Read).await,
            };
            if is_over {
                break;
            }
        }
        if self.random.chance(60) {
            self.call(&ticket, Operation::LogOut).await;
            self.call(&ticket, Operation::Read).await;
        }
    }

    /// Reads with a ticket of whomever, so that each ticket is used at several nodes at once and after its end.
    async fn read_with_any_ticket(&mut self) -> bool {
        let Some(ticket) = self.tickets.draw(&mut self.random) else { return false };
        self.call(&ticket, Operation::Read).await;
        false
    }

    /// Ends a device of the last list, seldom the own one.
    async fn end_a_device(&mut self, ticket: &Ticket) -> bool {
        let handle = match self.listed.len() {
            0 => ticket.handle,
            length => self.listed[self.random.index(length)],
        };
        let is_over = self.call(ticket, Operation::End(handle)).await;
        is_over || handle == ticket.handle
    }

    async fn end_all(&mut self, ticket: &Ticket) -> bool {
        let user = match self.random.below(5) {
            0..2 => User::Alice,
            2..4 => User::Mallory,
            _ => User::Root,
        };
        self.call(ticket, Operation::EndAll(user)).await || user == User::Root
    }

    /// Makes a call at some node. Returns whether the session is over.
    async fn call(&mut self, ticket: &Ticket, operation: Operation) -> bool {
        let client = self.at_some_node(Duration::ZERO, 1, 40);
        let answer = self.site.call(client, ticket, operation).await;
        if let Answer::Listed(handles) = &answer {
            let others = handles.iter().filter(|&&handle| handle != ticket.handle);
            self.listed = others.copied().collect();
        }
        // A node that is down refuses at once, and others are to have the processor.
        let least = if answer == Answer::NotSent { 20 } else { 0 };
        sleep(self.random.millis(least, least + 20)).await;
        matches!(answer, Answer::NotLoggedIn | Answer::Gone)
    }

    /// Draws the node of a call, and how long the device waits for its answer: some hang up, within this time
    /// (in milliseconds) after the node has `held` it.
    fn at_some_node(&mut self, held: Duration, from: u64, to: u64) -> Client {
        let node = self.random.index(self.site.http.nodes());
        let hangs_up = self.random.chance(3);
        let patience = if hangs_up { held + self.random.millis(from, to) } else { PATIENCE };
        Client { number: self.client, node, patience }
    }

    /// Draws how long a login waits before its commit: most do not, and others long enough for an end to come
    /// between.
    fn hold(&mut self) -> Duration {
        if self.random.chance(30) { self.random.millis(20, 300) } else { Duration::ZERO }
    }
}
