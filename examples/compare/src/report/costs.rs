//! The part of `report.json` about dollars a month and memory.

use serde::Serialize;

use crate::month::{
    Bill, Crossing, DECADES, Engine, NodeTypes, Nodes, Place, Rival, SESSIONS, Setup, Shop,
    crossings, rival,
};
use crate::prices::Prices;

#[derive(Debug, Serialize)]
pub struct Costs {
    pub region: String,
    pub assumptions: Shop,
    pub prices: Vec<Price>,
    /// What no price in the file covers, in words.
    pub not_included: Vec<String>,
    pub setups: Vec<SetupCosts>,
    /// Where two bills are the same.
    pub crossings: Vec<Crossing>,
    /// Below which price nodes are the cheapest, at each of the rates.
    pub node_prices_to_beat: Vec<Rival>,
    pub memory: Vec<Memory>,
}

#[derive(Debug, Serialize)]
pub struct Price {
    pub service: &'static str,
    pub billing: String,
    pub charges: String,
    pub as_of: String,
    pub source: String,
}

#[derive(Debug, Serialize)]
pub struct SetupCosts {
    pub id: &'static str,
    pub title: &'static str,
    pub availability: &'static str,
    /// The bills of a month at 0.1, 1, 10, 100, 1,000 and 10,000 requests a second.
    pub months: Vec<Bill>,
    /// The curve of the chart, as pairs of requests a second and dollars.
    #[serde(skip)]
    pub curve: Vec<(f64, f64)>,
}

#[derive(Debug, Serialize)]
pub struct Memory {
    pub id: &'static str,
    pub title: &'static str,
    pub bytes_per_session: f64,
    pub holding: Vec<Holding>,
}

#[derive(Debug, Serialize)]
pub struct Holding {
    pub sessions: f64,
    pub bytes: f64,
    /// The smallest nodes that hold them, replicas included, where there are nodes.
    pub nodes: Option<Nodes>,
}

impl Costs {
    pub fn compute(shop: &Shop, prices: &Prices, types: &NodeTypes) -> Self {
        let origins = prices.origins().into_iter().map(|(service, charges, origin)| Price {
            service,
            billing: origin.billing.clone(),
            charges,
            as_of: origin.as_of.clone(),
            source: origin.source.clone(),
        });
        let rivals = DECADES.iter().filter_map(|rate| rival(shop, *rate, prices, types));
        Self {
            region: prices.region.clone(),
            assumptions: *shop,
            prices: origins.collect(),
            not_included: prices.not_included.clone(),
            setups: Setup::ALL.map(|setup| months(setup, shop, prices, types)).into(),
            crossings: crossings(shop, prices, types),
            node_prices_to_beat: rivals.collect(),
            memory: Place::ALL.map(|place| memory(place, shop, types)).into(),
        }
    }

    /// Returns the title of a set-up with this id.
    pub(crate) fn title(&self, id: &str) -> &'static str {
        let setup = self.setups.iter().find(|setup| setup.id == id);
        setup.map_or("", |setup| setup.title)
    }
}

fn months(setup: Setup, shop: &Shop, prices: &Prices, types: &NodeTypes) -> SetupCosts {
    let dollars = |rate| Some((rate, setup.bill(shop, rate, prices, types).dollars?));
    SetupCosts {
        id: setup.id(),
        title: setup.title(),
        availability: setup.availability(),
        months: DECADES.map(|rate| setup.bill(shop, rate, prices, types)).into(),
        curve: crate::month::rates().into_iter().filter_map(dollars).collect(),
    }
}

fn memory(place: Place, shop: &Shop, types: &NodeTypes) -> Memory {
    let bytes_per_session = place.bytes(shop.session_bytes);
    let nodes = |bytes| match place {
        Place::Redis => types.holding(bytes, Engine::Valkey),
        Place::Memcached => types.holding(bytes, Engine::Memcached),
        Place::PostgreSql | Place::MySql => types.databases.holding(bytes, 0.0),
        Place::Server | Place::DynamoDb | Place::Files | Place::Bucket | Place::Cookie => None,
    };
    let holding = SESSIONS.map(|sessions| {
        let bytes = sessions * bytes_per_session;
        let nodes = nodes(bytes);
        Holding { sessions, bytes, nodes }
    });
    Memory { id: place.id(), title: place.title(), bytes_per_session, holding: holding.into() }
}
