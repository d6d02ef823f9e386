//! What all requests under one layer share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::backend::{Backend, Keeper};
use crate::clock::Clock;
use crate::cookie::{CookieFinder, CookieOptions, TicketMint};
use crate::entropy::{self, Entropy};
use crate::id::StoreKey;
use crate::keys::KeyRing;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    backend: Backend,
    keys: KeyRing,
    pub(crate) keeper: Keeper,
    pub(crate) mint: TicketMint,
    pub(crate) cookie: CookieOptions,
    pub(crate) finder: CookieFinder,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) idle_timeout: Duration,
    pub(crate) absolute_lifetime: Duration,
    /// Hundredths of the idle timeout that pass before it is moved.
    pub(crate) slide_after_percent: u32,
    pub(crate) command_timeout: Duration,
    pub(crate) commit_timeout: Duration,
    pub(crate) queues: Queues,
}

impl Settings {
    pub(crate) fn new(backend: Backend, keys: KeyRing) -> Self {
        let cookie = CookieOptions::default();
        Self {
            keeper: backend.keeper(&keys, &cookie),
            backend,
            mint: TicketMint::new(&keys, cookie.name()),
            finder: CookieFinder::new(cookie.name()),
            keys,
            cookie,
            clock: Clock::system(),
            entropy: entropy::operating_system,
            idle_timeout: Duration::from_secs(30 * 60),
            absolute_lifetime: Duration::from_secs(12 * 60 * 60),
            slide_after_percent: 10,
            command_timeout: Duration::from_secs(2),
            commit_timeout: Duration::from_secs(5),
            queues: Queues::default(),
        }
    }

    /// Takes another cookie, and makes anew what the name is bound into.
    pub(crate) fn take_cookie(&mut self, cookie: CookieOptions) {
        self.keeper = self.backend.keeper(&self.keys, &cookie);
        self.mint = TicketMint::new(&self.keys, cookie.name());
        self.finder = CookieFinder::new(cookie.name());
        self.cookie = cookie;
    }
}

/// Lines to stand in for commits that met a conflict. Sessions share lines by their key, so nothing
/// is kept per session.
#[derive(Clone, Debug)]
pub(crate) struct Queues(Arc<[Mutex<()>; Self::LINES]>);

impl Queues {
    const LINES: usize = 64;

    pub(super) fn line(&self, key: &StoreKey) -> &Mutex<()> {
        &self.0[usize::from(key.as_bytes()[31]) % Self::LINES]
    }
}

impl Default for Queues {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Mutex::default())))
    }
}
