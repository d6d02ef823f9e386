//! Takes the place of `carried` in builds without the feature `cookie`: there are no such values,
//! and so there is nothing to do with them.

use http::HeaderMap;
use tokio::time::Instant;

use super::lazy::Shared;
use super::state::{Base, CookieChange};
use crate::clock::Timestamp;
use crate::cookie::{CookieOptions, Presented};
use crate::error::SessionError;
use crate::keys::KeyRing;

#[derive(Clone, Debug)]
pub(super) enum SignedCookie {}

#[derive(Clone, Debug)]
pub(crate) enum Carrier {}

impl SignedCookie {
    pub(super) fn carrier(&self, _: &KeyRing, _: &CookieOptions) -> Box<Carrier> {
        match *self {}
    }
}

impl Carrier {
    pub(super) fn present(&self, _: &HeaderMap) -> Presented {
        match *self {}
    }

    pub(super) fn slides(&self) -> bool {
        match *self {}
    }

    pub(super) async fn load(
        &self,
        _: &Shared,
        _: Timestamp,
        _: Option<Instant>,
    ) -> Result<Base, SessionError> {
        match *self {}
    }

    pub(super) async fn commit(&self, _: &Shared, _: Instant) -> Result<(), SessionError> {
        match *self {}
    }

    pub(super) fn end(&self, _: &Shared) -> Result<Option<CookieChange>, SessionError> {
        match *self {}
    }
}
