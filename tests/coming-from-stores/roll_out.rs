//! The shop before, and the shop with both layers, over one old store and with one kind of cookies.

use axum::Router;
use cloakroom::{Key, SessionLayer};
use tower_sessions::cookie::time::{Duration, OffsetDateTime};
use tower_sessions::cookie::{self, SameSite};
use tower_sessions::service::CookieController;
use tower_sessions::{Expiry, SessionManagerLayer, SessionStore};

use crate::browser::Browser;
use crate::{after, before, carry};

/// How the old layer protects its cookies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cookies {
    Plain,
    Signed,
    Private,
}

impl Cookies {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Signed, Self::Private];
}

pub(crate) struct RollOut {
    pub(crate) before: Router,
    pub(crate) both: Router,
}

impl RollOut {
    pub(crate) fn new<S: SessionStore + Clone>(
        old: &S,
        cookies: Cookies,
        key: &cookie::Key,
    ) -> Self {
        Self::with_expiry(old, cookies, key, Expiry::OnInactivity(Duration::minutes(30)))
    }

    /// Makes the shops with sessions in the old store that are over when they begin.
    pub(crate) fn too_late<S: SessionStore + Clone>(old: &S, cookies: Cookies) -> Self {
        let an_hour_ago = OffsetDateTime::now_utc() - Duration::hours(1);
        let key = cookie::Key::generate();
        Self::with_expiry(old, cookies, &key, Expiry::AtDateTime(an_hour_ago))
    }

    fn with_expiry<S: SessionStore + Clone>(
        old: &S,
        cookies: Cookies,
        key: &cookie::Key,
        expiry: Expiry,
    ) -> Self {
        let layer = SessionManagerLayer::new(old.clone()).with_same_site(SameSite::Lax);
        let layer = layer.with_expiry(expiry);
        match cookies {
            Cookies::Plain => Self::of(layer),
            Cookies::Signed => Self::of(layer.with_signed(key.clone())),
            Cookies::Private => Self::of(layer.with_private(key.clone())),
        }
    }

    fn of<S, C>(old: SessionManagerLayer<S, C>) -> Self
    where
        S: SessionStore + Clone,
        C: CookieController + Sync,
    {
        let new = SessionLayer::new(cloakroom::store::MemoryStore::new(), Key::generate().unwrap());
        let before = before::routes().layer(old.clone());
        Self { before, both: carry::both(after::routes(), old, new) }
    }

    /// Ada, who has logged in and filled her cart before, and comes back after.
    pub(crate) async fn ada(&self) -> Browser {
        let mut ada = Browser::new(&self.before);
        ada.post("/cart/apple").await;
        ada.log_in("ada", "sesame").await;
        assert!(ada.home().await.starts_with("visit 1,"));
        ada.now_at(&self.both)
    }
}
