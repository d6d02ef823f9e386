//! A month's bill, part by part, so that each can be computed again by hand.

use serde::Serialize;

use super::{Load, Nodes};

/// One kind of thing that is billed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// In the plural: "million read units", "GB to visitors".
    pub billed: &'static str,
    pub amount: f64,
    /// Dollars for one; absent if the price file has no such price.
    pub price: Option<f64>,
    pub dollars: Option<f64>,
}

impl Part {
    pub(super) fn new(billed: &'static str, amount: f64, price: Option<f64>) -> Self {
        Self { billed, amount, price, dollars: price.map(|price| price * amount) }
    }
}

/// What one set-up costs in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    pub requests_per_second: f64,
    /// The sum of the parts whose price is known; absent where no price is known of nodes, of
    /// capacity units or of writes to a bucket, which would be most of the bill.
    pub dollars: Option<f64>,
    /// Sessions that are live at any moment.
    pub live_sessions: f64,
    /// The nodes to rent, where there are any.
    pub nodes: Option<Nodes>,
    pub parts: Vec<Part>,
}

/// The parts without which a sum would say nothing.
pub(super) const NODE_HOURS: &str = "node hours";
pub(super) const ACU_HOURS: &str = "ACU hours";
pub(super) const PUTS: &str = "million PUTs and lists";
pub(super) const BETWEEN_ZONES: &str = "GB between zones";

impl Bill {
    pub(super) fn new(rate: f64, load: Load, nodes: Option<Nodes>, parts: Vec<Part>) -> Self {
        let is_open = |part: &Part| {
            [NODE_HOURS, ACU_HOURS, PUTS].contains(&part.billed) && part.dollars.is_none()
        };
        let sum = parts.iter().filter_map(|part| part.dollars).sum();
        let dollars = (!parts.iter().any(is_open)).then_some(sum);
        Self { requests_per_second: rate, dollars, live_sessions: load.live, nodes, parts }
    }

    /// Returns the parts whose price is not known, with what would be billed of them.
    pub fn unpriced(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.dollars.is_none())
    }
}
