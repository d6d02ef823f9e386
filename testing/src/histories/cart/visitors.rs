//! Visitors who shop with several tabs at once, each at another node, and keep old cookies.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::calls::{Answer, Item, Operation};
use super::shop::{Shop, Ticket};
use crate::histories::crowd::{Closing, Crowd, PATIENCE, until_answered};
use crate::random::Random;

const VISITORS: usize = 4;
const TABS: usize = 3;

pub(super) fn enter(shop: &Arc<Shop>, random: &mut Random) -> Crowd<Ticket> {
    let closing = Closing::default();
    let sessions = Arc::new(AtomicU32::new(0));
    let visitor = |number| Visitor {
        number,
        shop: shop.clone(),
        sessions: sessions.clone(),
        closing: closing.clone(),
        random: random.fork(),
    };
    let visitors: Vec<_> = (0..VISITORS).map(visitor).collect();
    Crowd::start(closing.clone(), visitors.into_iter().map(Visitor::shop))
}

pub(super) async fn look_again(shop: &Shop, tickets: &[Ticket], random: &mut Random) {
    for ticket in tickets {
        let read = async || {
            let node = random.index(shop.http.nodes());
            let client = VISITORS * TABS;
            shop.call(client, node, ticket, Operation::Read, PATIENCE).await.0
        };
        let is_answered = |answer: &_| !matches!(answer, Answer::Unknown(_) | Answer::NotSent);
        until_answered(read, is_answered).await;
    }
}

struct Visitor {
    number: usize,
    shop: Arc<Shop>,
    /// The number of sessions so far, of all visitors.
    sessions: Arc<AtomicU32>,
    closing: Closing,
    random: Random,
}

impl Visitor {
    /// Uses one session after the other. Returns all tickets that were received.
    async fn shop(mut self) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        while !self.closing.has_come() {
            match self.open().await {
                Some(first) => tickets.extend(self.use_up(first).await),
                None => sleep(self.random.millis(10, 30)).await,
            }
        }
        tickets
    }

    /// Opens a session with one call. Without an answer there may be one, and nobody has its ticket.
    async fn open(&mut self) -> Option<Ticket> {
        let session = self.sessions.fetch_add(1, Ordering::SeqCst);
        let visitor = Ticket { session, number: 0, cookie: None };
        let node = self.random.index(self.shop.http.nodes());
        let (client, owner) = (self.number * TABS, Operation::Add(Item::Owner));
        let (answer, cookie) = self.shop.call(client, node, &visitor, owner, PATIENCE).await;
        let opened = matches!(answer, Answer::Shown(_));
        Some(Ticket { cookie: Some(cookie.filter(|_| opened)?), ..visitor })
    }

    async fn use_up(&mut self, first: Ticket) -> Vec<Ticket> {
        let session = Arc::new(Session {
            tickets: Mutex::new(vec![first]),
            is_over: AtomicBool::new(false),
            keys: AtomicU32::new(0),
            is_moving: AtomicBool::new(false),
        });
        let tab = |number| Tab {
            client: self.number * TABS + number,
            shop: self.shop.clone(),
            closing: self.closing.clone(),
            session: session.clone(),
            random: self.random.fork(),
        };
        let mut tabs: Vec<_> = (0..TABS).map(tab).collect();
        let leader = tabs.remove(0);
        let mut tasks: JoinSet<()> = tabs.into_iter().map(Tab::follow).collect();
        tasks.spawn(leader.lead());
        tasks.join_all().await;
        session.tickets()
    }
}

/// The state that the tabs of one visitor share.
#[derive(Debug)]
struct Session {
    /// All tickets so far; the last one is the present one.
    tickets: Mutex<Vec<Ticket>>,
    /// Whether its visitor has seen the end of it, or has had no answer to a logout or a login.
    is_over: AtomicBool,
    /// Whether a login is under way.
    is_moving: AtomicBool,
    keys: AtomicU32,
}

impl Session {
    fn tickets(&self) -> Vec<Ticket> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add_ticket(&self, cookie: String) {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let number = tickets.len().try_into().expect("few logins");
        let session = tickets[0].session;
        tickets.push(Ticket { session, number, cookie: Some(cookie) });
    }

    /// Returns whether no login has replaced the ticket or is about to.
    fn is_present(&self, ticket: usize) -> bool {
        !self.is_moving.load(Ordering::SeqCst) && ticket + 1 == self.tickets().len()
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

struct Tab {
    client: usize,
    shop: Arc<Shop>,
    closing: Closing,
    session: Arc<Session>,
    random: Random,
}

impl Tab {
    /// Adds and reads. Keeps some of the tickets that others have replaced, and goes on for a while when the
    /// session is over.
    async fn follow(mut self) {
        let calls = 10 + self.random.below(20);
        for _ in 0..calls {
            if self.session.is_over() || self.closing.has_come() {
                break;
            }
            self.add_or_read().await;
        }
        for _ in 0..2 {
            self.add_or_read().await;
        }
    }

    /// Does the same, logs in now and then, and may log out at the end: early, so that others are busy, or
    /// late, so that nothing hides a change that gets lost.
    ///
    /// Only this tab logs in, and not again without an answer: a repeated login may find its session twice.
    async fn lead(mut self) {
        let calls = 10 + self.random.below(20);
        for _ in 0..calls {
            if self.session.is_over() || self.closing.has_come() {
                break;
            }
            if self.random.chance(8) {
                self.log_in().await;
            } else {
                self.add_or_read().await;
            }
        }
        if self.random.chance(50) {
            self.log_out().await;
            self.add_or_read().await;
        }
        self.session.end();
    }

    async fn add_or_read(&mut self) {
        let operation = match self.random.below(100) {
            0..30 => Operation::Add(Item::Counter(0)),
            30..50 => Operation::Add(Item::Counter(1)),
            50..60 => Operation::Add(Item::Key(self.session.keys.fetch_add(1, Ordering::SeqCst))),
            _ => Operation::Read,
        };
        let mut tickets = self.session.tickets();
        let present = tickets.len() - 1;
        let old = self.random.chance(10);
        let ticket = if old { self.random.index(tickets.len()) } else { present };
        let (answer, _) = self.call(&tickets.swap_remove(ticket), operation).await;
        if matches!(answer, Answer::Absent | Answer::Gone) && self.session.is_present(ticket) {
            self.session.end();
        }
    }

    async fn log_in(&mut self) {
        let ticket = self.session.tickets().pop().expect("a ticket");
        self.session.is_moving.store(true, Ordering::SeqCst);
        match self.call(&ticket, Operation::LogIn).await {
            (Answer::Shown(_), Some(cookie)) => self.session.add_ticket(cookie),
            (Answer::NotSent, _) => {}
            // The session may be under a ticket that nobody got.
            _ => self.session.end(),
        }
        self.session.is_moving.store(false, Ordering::SeqCst);
    }

    async fn log_out(&mut self) {
        let ticket = self.session.tickets().pop().expect("a ticket");
        self.call(&ticket, Operation::LogOut).await;
    }

    async fn call(&mut self, ticket: &Ticket, operation: Operation) -> (Answer, Option<String>) {
        let node = self.random.index(self.shop.http.nodes());
        let hangs_up = self.random.chance(4);
        let patience = if hangs_up { self.random.millis(1, 40) } else { PATIENCE };
        let (answer, cookie) = self.shop.call(self.client, node, ticket, operation, patience).await;
        // A node that is down refuses at once, and others are to have the processor.
        let least = if answer == Answer::NotSent { 20 } else { 0 };
        sleep(self.random.millis(least, least + 15)).await;
        (answer, cookie)
    }
}
