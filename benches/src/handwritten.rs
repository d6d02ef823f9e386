//! A simple signed session layer, written for speed only: no merging, no fixed order of a logout
//! and a late write, no bound on memory, no sweep.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use serde_json::Value;
use sha2::Sha256;
use tower::Service;
use tower_layer::Layer;

const ID: usize = 16;
const TICKET: usize = ID + 32;
const LIFETIME: Duration = Duration::from_secs(30 * 60);

type Id = [u8; ID];
type Values = HashMap<String, Value>;

/// Keeps whole sessions, as MessagePack maps, in one `Mutex<HashMap>`.
#[derive(Clone, Debug)]
pub struct HandwrittenLayer(Arc<Shop>);

#[derive(Debug)]
struct Shop {
    mac: Hmac<Sha256>,
    sessions: Mutex<HashMap<Id, (SystemTime, Vec<u8>)>>,
}

impl HandwrittenLayer {
    /// Creates an empty layer that signs with `key`.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    pub fn new(key: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Self(Arc::new(Shop { mac, sessions: Mutex::default() }))
    }
}

impl Shop {
    fn prove(&self, text: &[u8]) -> Option<Id> {
        let mut raw = [0; TICKET];
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut raw).ok()?;
        let (id, mac) = raw.get(..len)?.split_at_checked(ID)?;
        self.mac.clone().chain_update(id).verify_slice(mac).ok()?;
        id.try_into().ok()
    }

    fn cookie(&self, id: &Id) -> Option<HeaderValue> {
        let mut raw = [0; TICKET];
        raw[..ID].copy_from_slice(id);
        raw[ID..].copy_from_slice(&self.mac.clone().chain_update(id).finalize().into_bytes());
        let ticket = URL_SAFE_NO_PAD.encode(raw);
        let cookie = format!("handwritten={ticket}; HttpOnly; SameSite=Lax; Secure; Path=/");
        HeaderValue::try_from(cookie).ok()
    }

    fn load(&self, id: &Id) -> Option<Values> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (deadline, bytes) = sessions.get(id)?;
        (*deadline > SystemTime::now()).then(|| rmp_serde::from_slice(bytes).ok())?
    }

    fn save(&self, id: Id, values: &Values) -> Option<()> {
        let bytes = rmp_serde::to_vec(values).ok()?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(id, (SystemTime::now() + LIFETIME, bytes));
        Some(())
    }
}

/// The session of one request.
#[derive(Clone, Debug)]
pub struct Handwritten(Arc<Visit>);

#[derive(Debug)]
struct Visit {
    shop: Arc<Shop>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    id: Option<Id>,
    values: Values,
    changed: bool,
}

impl Handwritten {
    /// Returns a value.
    pub fn get(&self, key: &str) -> Option<String> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.values.get(key)?.as_str().map(str::to_owned)
    }

    /// Changes a value.
    pub fn insert(&self, key: &str, value: &str) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.values.insert(key.to_owned(), Value::from(value));
        state.changed = true;
    }

    fn load(&self, parts: &Parts) -> Option<()> {
        let header = parts.headers.get(COOKIE)?.as_bytes();
        let mut pairs = header.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let id = self.0.shop.prove(pairs.find_map(|pair| pair.strip_prefix(b"handwritten="))?)?;
        let values = self.0.shop.load(&id)?;
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.id, state.values) = (Some(id), values);
        Some(())
    }

    fn save<B>(&self, response: &mut Response<B>) -> Option<()> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.changed {
            return Some(());
        }
        let id = match state.id {
            Some(id) => id,
            None => {
                let mut id = [0; ID];
                getrandom::fill(&mut id).ok()?;
                response.headers_mut().insert(SET_COOKIE, self.0.shop.cookie(&id)?);
                *state.id.insert(id)
            }
        };
        self.0.shop.save(id, &state.values)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Handwritten {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let session = parts.extensions.get::<Self>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        session.load(parts);
        Ok(session.clone())
    }
}

/// The service of [`HandwrittenLayer`].
#[derive(Clone, Debug)]
pub struct HandwrittenService<S> {
    inner: S,
    shop: Arc<Shop>,
}

impl<S> Layer<S> for HandwrittenLayer {
    type Service = HandwrittenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HandwrittenService { inner, shop: Arc::clone(&self.0) }
    }
}

impl<S, A, B> Service<Request<A>> for HandwrittenService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Saving<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let shop = Arc::clone(&self.shop);
        let session = Handwritten(Arc::new(Visit { shop, state: Mutex::default() }));
        request.extensions_mut().insert(session.clone());
        Saving { inner: self.inner.call(request), session }
    }
}

pin_project! {
    /// The future of [`HandwrittenService`].
    #[derive(Debug)]
    pub struct Saving<F> {
        #[pin]
        inner: F,
        session: Handwritten,
    }
}

impl<F: Future<Output = Result<Response<B>, E>>, B, E> Future for Saving<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if this.session.save(&mut response).is_none() {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        Poll::Ready(Ok(response))
    }
}
