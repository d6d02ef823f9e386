//! The content of the four charts, before anything is drawn.

use super::figures::{ABSENT, count, dollars, milliseconds, or_dash, share};
use crate::cost::{Estimate, Mix, SIZES_KB};
use crate::prices::Prices;
use crate::results::{Comparison, Measured, Phase, PhaseName};

pub(crate) struct Chart {
    /// The id of its figure in the page.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: String,
    pub(crate) palette: Palette,
    /// The names of the bars of a group, in their order.
    pub(crate) series: Vec<String>,
    pub(crate) groups: Vec<Group>,
    /// Writes a figure of the axis.
    pub(crate) axis: fn(f64) -> String,
    /// The bars of a group stand in one row, each where the one before ends.
    pub(crate) stacked: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Palette {
    /// Shades of one colour.
    Steps,
    /// Before and after.
    Pair,
    /// Good, doubtful, bad.
    Signals,
}

/// The bars of one strategy.
pub(crate) struct Group {
    pub(crate) title: String,
    /// One bar for each series.
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) value: Option<f64>,
    /// The value as text.
    pub(crate) label: String,
    /// The fair share, marked beside the bar.
    pub(crate) fair: Option<f64>,
}

impl Bar {
    fn new(value: Option<f64>, write: impl FnOnce(f64) -> String) -> Self {
        let value = value.filter(|value| value.is_finite() && *value >= 0.0);
        Self { value, label: or_dash(value, write), fair: None }
    }
}

impl Chart {
    pub(crate) fn all(comparison: &Comparison, prices: &Prices) -> [Self; 4] {
        [
            latency(comparison),
            survivors(comparison),
            load_share(comparison),
            cost(comparison, prices),
        ]
    }
}

pub(crate) fn steady(strategy: &Measured) -> Option<&Phase> {
    strategy.phases.iter().find(|phase| phase.name == PhaseName::Steady)
}

fn latency(comparison: &Comparison) -> Chart {
    let group = |strategy: &Measured| {
        let latency = steady(strategy).and_then(|phase| phase.latency);
        let percentiles = [
            latency.map(|latency| latency.p50_ms),
            latency.map(|latency| latency.p95_ms),
            latency.map(|latency| latency.p99_ms),
        ];
        let write = |value| format!("{} ms", milliseconds(value));
        let mark = if strategy.remarks.is_empty() { "" } else { " *" };
        Group {
            title: format!("{}{mark}", strategy.strategy.title),
            bars: percentiles.map(|value| Bar::new(value, write)).into(),
        }
    };
    Chart {
        id: "latency",
        title: "Latency under steady load",
        description:
            "How long a request took for the shopper: 50 % of the requests took at most p50, 95 % \
             at most p95, 99 % at most p99. An asterisk refers to a remark below."
                .to_owned(),
        palette: Palette::Steps,
        series: ["p50", "p95", "p99"].map(str::to_owned).into(),
        groups: comparison.measured().map(group).collect(),
        axis: |value| format!("{} ms", milliseconds(value)),
        stacked: false,
    }
}

fn survivors(comparison: &Comparison) -> Chart {
    let group = |strategy: &Measured| {
        let audit = strategy.node_killed.audit;
        let total = (audit.carts > 0).then_some(audit.carts as f64);
        let counts = [audit.carts_kept(), audit.carts_shrunk, audit.carts_lost];
        let bar = |carts: u64| Bar {
            value: total.map(|total| (carts as f64 / total).min(1.0)),
            label: if total.is_some() { count(carts) } else { ABSENT.to_owned() },
            fair: None,
        };
        Group { title: strategy.strategy.title.clone(), bars: counts.map(bar).into() }
    };
    Chart {
        id: "survivors",
        title: "Carts after a server was killed",
        description:
            "What the shop still showed of the carts whose items it had acknowledged. Shrunk: \
             something was there, but less than was acknowledged."
                .to_owned(),
        palette: Palette::Signals,
        series: ["kept", "shrunk", "lost"].map(str::to_owned).into(),
        groups: comparison.measured().map(group).collect(),
        axis: |value| format!("{:.0} %", value * 100.0),
        stacked: true,
    }
}

fn load_share(comparison: &Comparison) -> Chart {
    let group = |strategy: &Measured| {
        let growth = &strategy.node_added;
        let bar = |value, nodes: usize| Bar {
            fair: (nodes > 0).then(|| 1.0 / nodes as f64),
            ..Bar::new(Some(value), share)
        };
        let bars = vec![
            bar(growth.busiest_share_before, growth.nodes_before),
            bar(growth.busiest_share_after, growth.nodes_after),
        ];
        Group { title: strategy.strategy.title.clone(), bars }
    };
    Chart {
        id: "load",
        title: "The busiest server's share of the requests",
        description:
            "Before and after a server was added. The line across a bar is the fair share: one \
             divided by the number of servers."
                .to_owned(),
        palette: Palette::Pair,
        series: ["before", "after"].map(str::to_owned).into(),
        groups: comparison.measured().map(group).collect(),
        axis: |value| format!("{:.0} %", value * 100.0),
        stacked: false,
    }
}

fn cost(comparison: &Comparison, prices: &Prices) -> Chart {
    let mix = Mix::from_comparison(comparison);
    let group = |strategy: &Measured| {
        let estimate = Estimate::for_strategy(strategy, mix, prices);
        let bar = |size| Bar::new(estimate.as_ref().map(|found| found.dollars[size]), dollars);
        Group {
            title: strategy.strategy.title.clone(),
            bars: (0..SIZES_KB.len()).map(bar).collect(),
        }
    };
    Chart {
        id: "cost",
        title: "A million requests more",
        description: format!(
            "What AWS in {} bills for the store's part of a million requests, in US dollars, with \
             sessions of three sizes. Not the whole bill: hours and storage are not in it, and with \
             little traffic they are most of a cache's bill. The bills of a month are below.",
            prices.region
        ),
        palette: Palette::Steps,
        series: SIZES_KB.map(|kb| format!("{kb} KB")).into(),
        groups: comparison.measured().map(group).collect(),
        axis: dollars,
        stacked: false,
    }
}
