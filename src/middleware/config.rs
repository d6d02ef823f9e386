//! The options of a layer that only the middleware needs; the session's own are its settings.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{request, response};

use super::notices::Notices;
use super::site_data::ClearSiteData;
use crate::cookie::{CookieOptions, HeaderError, TicketHeader};
use crate::session::{Settings, Tolerated};

/// The way a request goes on when the store cannot be read; see
/// [`SessionLayer::on_outage`](crate::SessionLayer::on_outage).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// Loading the session fails, with 503 unless the handler answers otherwise. The default: a shop
    /// that forgets who is logged in is worse than one that asks to try again in a moment.
    #[default]
    FailClosed,
    /// The visitor is treated as anonymous, and cannot change anything: every change fails with the
    /// store's error. For pages that are useful to everybody, such as a catalogue.
    Anonymous,
}

/// The way a request goes on when the record of its session cannot be read; see
/// [`SessionLayer::on_unreadable`](crate::SessionLayer::on_unreadable).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum UnreadablePolicy {
    /// Loading the session fails, with 500 for a damaged record and 503 for one of a newer format. The
    /// default: a visitor who is logged in must not seem to be nobody.
    #[default]
    FailClosed,
    /// The visitor is treated as anonymous. Every change fails with the error of the load, except for
    /// a login, which begins a new session under a new id. For login pages above all: without it, a
    /// damaged record locks its visitor out until it expires.
    Anonymous,
}

/// The requests that a variant of the cookie is for.
type CookieRule = dyn Fn(&request::Parts) -> bool + Send + Sync;

type UnreadablePolicyOf = dyn Fn(&request::Parts) -> UnreadablePolicy + Send + Sync;

type OutagePolicyOf = dyn Fn(&request::Parts) -> OutagePolicy + Send + Sync;

type AddressOf = dyn Fn(&request::Parts) -> Option<IpAddr> + Send + Sync;

/// Decides by a response whether the changes of its handler are stored.
pub(super) type CommitRule = dyn Fn(&response::Parts) -> bool + Send + Sync;

/// The layer's settings with other attributes of the cookie, for the requests of a rule.
#[derive(Clone)]
struct Variant {
    rule: Arc<CookieRule>,
    cookie: CookieOptions,
    settings: Arc<Settings>,
}

/// The app's own answers about a request, which the layer asks for before the handler runs.
pub(super) struct Asked<'a> {
    pub(super) settings: &'a Arc<Settings>,
    pub(super) tolerated: Tolerated,
    pub(super) client: Option<IpAddr>,
}

#[derive(Clone)]
pub(crate) struct Config {
    settings: Arc<Settings>,
    variants: Vec<Variant>,
    pub(super) outage: Option<Arc<OutagePolicyOf>>,
    pub(super) unreadable: Option<Arc<UnreadablePolicyOf>>,
    pub(super) client_address: Option<Arc<AddressOf>>,
    pub(super) commit_rule: Option<Arc<CommitRule>>,
    /// Added to the response of a logout.
    pub(super) clear_site_data: Option<ClearSiteData>,
    pub(super) notices: Arc<Notices>,
}

impl Config {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            variants: Vec::new(),
            outage: None,
            unreadable: None,
            client_address: None,
            commit_rule: None,
            clear_site_data: None,
            notices: Arc::default(),
        }
    }

    /// Returns the settings of requests that no variant of the cookie is for.
    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Changes the settings, those of all variants included.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Settings)) {
        change(Arc::make_mut(&mut self.settings));
        for variant in &mut self.variants {
            let settings = self.settings.with_attributes(variant.cookie.clone());
            variant.settings = Arc::new(settings);
        }
        self.notices = Arc::default();
    }

    /// Puts a header in the place of the cookie and all of its variants.
    pub(super) fn set_header(&mut self, header: TicketHeader) -> Result<(), HeaderError> {
        self.variants.clear();
        self.notices = Arc::default();
        Arc::make_mut(&mut self.settings).set_header(header)
    }

    /// Changes the cookie, and drops all variants of the one before.
    pub(super) fn set_cookie(&mut self, cookie: CookieOptions) {
        self.variants.clear();
        self.change(|settings| settings.set_cookie(cookie));
    }

    pub(super) fn add_variant(&mut self, cookie: CookieOptions, rule: Arc<CookieRule>) {
        let settings = self.settings.with_attributes(cookie.clone()).into();
        self.variants.push(Variant { rule, cookie, settings });
    }

    /// Whether code of the app decides about a request before its handler runs.
    pub(super) fn has_rules(&self) -> bool {
        self.outage.is_some()
            || self.unreadable.is_some()
            || self.client_address.is_some()
            || !self.variants.is_empty()
    }

    /// Asks the app's rules for the settings of this request, its policies what it goes on without, and who the client
    /// is.
    pub(super) fn ask_rules(&self, request: &request::Parts) -> Asked<'_> {
        let variant = self.variants.iter().find(|variant| (variant.rule)(request));
        let outage = self.outage.as_ref().map(|policy_of| policy_of(request));
        let unreadable = self.unreadable.as_ref().map(|policy_of| policy_of(request));
        let tolerated = Tolerated {
            outage: outage == Some(OutagePolicy::Anonymous),
            unreadable: unreadable == Some(UnreadablePolicy::Anonymous),
        };
        Asked {
            settings: variant.map_or(&self.settings, |variant| &variant.settings),
            tolerated,
            client: self.client_address.as_ref().and_then(|address_of| address_of(request)),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("settings", &self.settings)
            .field("cookie_variants", &self.variants.len())
            .field("outage_policy", &self.outage.is_some())
            .field("unreadable_policy", &self.unreadable.is_some())
            .field("client_address", &self.client_address.is_some())
            .field("commit_rule", &self.commit_rule.is_some())
            .field("clear_site_data", &self.clear_site_data)
            .finish()
    }
}
