//! Bills over the rate of requests: where one set-up becomes cheaper than another.

use serde::Serialize;

use super::bill::BETWEEN_ZONES;
use super::{HOURS, NodeTypes, Nodes, Setup, Shop};
use crate::prices::Prices;

/// The range of rates, in requests a second.
pub const FEWEST: f64 = 0.1;
pub const MOST: f64 = 10_000.0;
/// The rates of the tables.
pub const DECADES: [f64; 6] = [FEWEST, 1.0, 10.0, 100.0, 1_000.0, MOST];

/// Steps between two decades when a curve is drawn or searched.
const STEPS: u32 = 40;
/// Halvings of such a step until a crossing is found: far finer than any price.
const HALVINGS: u32 = 40;
/// The share of a bill by which two may differ and still count as the same.
const SAME: f64 = 1e-6;

/// A rate at which two set-ups cost the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Crossing {
    /// The id of the set-up that is cheaper at lower rates.
    pub below: &'static str,
    /// The id of the set-up that is cheaper at higher rates.
    pub above: &'static str,
    pub requests_per_second: f64,
    /// What both cost in a month there.
    pub dollars: f64,
}

/// Returns rates that lie close together on a logarithmic scale.
pub fn rates() -> Vec<f64> {
    let decades = (MOST / FEWEST).log10();
    let steps = decades * f64::from(STEPS);
    // 200 steps.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let steps = steps.round() as u32;
    (0..=steps).map(|step| FEWEST * 10f64.powf(f64::from(step) / f64::from(STEPS))).collect()
}

/// Finds the rates at which two interchangeable stores cost the same.
///
/// Memory and cookies are not compared: they cost nothing at the store, and other things instead. Nor is
/// what is in one zone only, or has late reads. A
/// bill of nodes rises by a step where larger nodes are needed. Two stores that change places at a
/// step, or more than once, have no crossing here, because neither is the cheaper one from there on.
pub fn crossings(shop: &Shop, prices: &Prices, types: &NodeTypes) -> Vec<Crossing> {
    let rates = rates();
    let mut found = Vec::new();
    for (number, one) in stores().enumerate() {
        for other in stores().skip(number + 1) {
            let dollars = |setup: Setup, rate| setup.bill(shop, rate, prices, types).dollars;
            let difference = |rate: f64| Some(dollars(one, rate)? - dollars(other, rate)?);
            let mut steps = rates.windows(2).filter_map(|step| {
                let (low, high) = (difference(step[0])?, difference(step[1])?);
                (low * high < 0.0).then_some((step, low < 0.0))
            });
            let (Some((step, one_is_below)), None) = (steps.next(), steps.next()) else {
                continue;
            };
            let rate = meeting(step[0], step[1], &difference);
            let Some(dollars) = dollars(one, rate) else { continue };
            if difference(rate).is_some_and(|rest| rest.abs() < SAME * dollars) {
                let (below, above) = if one_is_below { (one, other) } else { (other, one) };
                let (below, above) = (below.id(), above.id());
                found.push(Crossing { below, above, requests_per_second: rate, dollars });
            }
        }
    }
    found.sort_by(|one, other| one.requests_per_second.total_cmp(&other.requests_per_second));
    found
}

/// Returns the store with the lowest bill among those whose price is known.
pub fn cheapest(shop: &Shop, rate: f64, prices: &Prices, types: &NodeTypes) -> Option<Setup> {
    let priced =
        stores().filter_map(|setup| Some((setup, setup.bill(shop, rate, prices, types).dollars?)));
    priced.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(setup, _)| setup)
}

/// What a node may cost at most for nodes to be the cheapest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rival {
    pub requests_per_second: f64,
    pub nodes: Nodes,
    /// The cheapest set-up without nodes.
    pub beats: &'static str,
    /// The price of one node at which both cost the same, without traffic between zones.
    pub dollars_per_hour: f64,
    /// What crosses between zones then, and is billed on top.
    pub gb_between_zones: f64,
    /// What one node costs in an hour; absent if the price file has no such price.
    pub listed_dollars_per_hour: Option<f64>,
}

/// Computes below which price nodes of Valkey are cheaper than everything without nodes, as long as
/// nothing crosses between zones: for readers who keep the traffic in one zone, or have another price.
pub fn rival(shop: &Shop, rate: f64, prices: &Prices, types: &NodeTypes) -> Option<Rival> {
    let bill = Setup::ValkeyNodes.bill(shop, rate, prices, types);
    let crossing = bill.parts.iter().find(|part| part.billed == BETWEEN_ZONES);
    let gb_between_zones = crossing.map_or(0.0, |part| part.amount);
    let nodes = bill.nodes?;
    let others = stores().filter(|setup| !setup.has_nodes());
    let (setup, dollars) = lowest(others, shop, rate, prices, types)?;
    Some(Rival {
        requests_per_second: rate,
        beats: setup.id(),
        dollars_per_hour: dollars / (HOURS * f64::from(nodes.number)),
        gb_between_zones,
        listed_dollars_per_hour: Setup::ValkeyNodes.node_price(&nodes, prices),
        nodes,
    })
}

fn lowest(
    setups: impl Iterator<Item = Setup>,
    shop: &Shop,
    rate: f64,
    prices: &Prices,
    types: &NodeTypes,
) -> Option<(Setup, f64)> {
    let priced =
        setups.filter_map(|setup| Some((setup, setup.bill(shop, rate, prices, types).dollars?)));
    priced.min_by(|(_, one), (_, other)| one.total_cmp(other))
}

fn stores() -> impl Iterator<Item = Setup> {
    Setup::ALL.into_iter().filter(|setup| setup.is_interchangeable())
}

/// Halves the distance between two rates at which the difference has two signs.
fn meeting(mut low: f64, mut high: f64, difference: &impl Fn(f64) -> Option<f64>) -> f64 {
    let is_negative = |rate| difference(rate).is_some_and(|dollars| dollars < 0.0);
    let begins_negative = is_negative(low);
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if is_negative(middle) == begins_negative {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
