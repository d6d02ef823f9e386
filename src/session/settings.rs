//! The settings that all requests under one layer share.

use super::backend::{Backend, LayerBackend};
use super::terms::Terms;
use super::unwatched::Unwatched;
use crate::cookie::{Carrier, CookieOptions, CsrfMint, HeaderError, TicketHeader};
use crate::keys::KeyRing;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) terms: Terms,
    pub(crate) carrier: Carrier,
    pub(super) backend: LayerBackend,
    pub(super) csrf: CsrfMint,
    /// What has been handed to the runtime. A layer that is made of another by an option shares it.
    pub(crate) unwatched: Unwatched,
    /// The backend and the keys that `backend` is made of, together with the carrier.
    parts: (Backend, KeyRing),
}

impl Settings {
    pub(crate) fn new(backend: Backend, keys: KeyRing) -> Self {
        let cookie = CookieOptions::default();
        Self {
            terms: Terms::default(),
            backend: LayerBackend::new(&backend, &keys, &cookie),
            csrf: CsrfMint::new(&keys, cookie.name()),
            carrier: Carrier::Cookie(cookie),
            unwatched: Unwatched::default(),
            parts: (backend, keys),
        }
    }

    /// Changes the cookie, and makes anew what its name is bound into.
    pub(crate) fn set_cookie(&mut self, cookie: CookieOptions) {
        let (backend, keys) = &self.parts;
        self.backend = LayerBackend::new(backend, keys, &cookie);
        self.csrf = CsrfMint::new(keys, cookie.name());
        self.carrier = Carrier::Cookie(cookie);
    }

    /// Puts a header in the place of the cookie.
    pub(crate) fn set_header(&mut self, header: TicketHeader) -> Result<(), HeaderError> {
        let (backend, keys) = &self.parts;
        let carrier = Carrier::Header(header);
        self.backend = LayerBackend::in_header(backend, keys, &carrier)?;
        self.csrf = CsrfMint::new(keys, carrier.bound_name());
        self.carrier = carrier;
        Ok(())
    }

    /// Returns the same settings with other attributes of the cookie, for some requests of the layer. Its
    /// name stays, and with it everything that the layer's requests share.
    pub(crate) fn with_attributes(&self, cookie: CookieOptions) -> Self {
        let mut settings = self.clone();
        settings.backend.set_attributes(&cookie);
        settings.carrier = Carrier::Cookie(cookie);
        settings
    }
}
