//! Tables of everything that was measured.

mod pace;

use super::figures::{ABSENT, bytes, commands, count, dollars, or_dash, seconds, share};
use crate::cost::{Basis, Estimate, Mix, SIZES_KB};
use crate::prices::Prices;
use crate::results::{Audit, Comparison, Departures, Fault, LateLooks, Measured};

pub(crate) use pace::phases;

pub(crate) struct Table {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// The remarks that a reader needs to read the table.
    pub(crate) note: String,
    /// The first column names the rows.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(
        id: &'static str,
        title: &'static str,
        note: &str,
        columns: [&str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) -> Self {
        Self {
            id,
            title,
            note: note.to_owned(),
            columns: columns.map(str::to_owned).into(),
            rows: rows.map(Vec::from).collect(),
        }
    }
}

/// Returns all tables in the order of the page.
pub(crate) fn all(comparison: &Comparison, prices: &Prices) -> [Table; 9] {
    [
        pace::steady_load(comparison),
        killed(comparison),
        races(comparison),
        late_looks(comparison),
        added(comparison),
        outage(comparison),
        memory_and_traffic(comparison),
        store(comparison),
        cost(comparison, prices),
    ]
}

fn name(strategy: &Measured) -> String {
    strategy.strategy.title.clone()
}

fn absent<const N: usize>() -> [String; N] {
    std::array::from_fn(|_| ABSENT.to_owned())
}

fn killed(comparison: &Comparison) -> Table {
    let row = |strategy: &Measured| {
        let fault = &strategy.node_killed;
        let Audit { carts, carts_lost, carts_shrunk, .. } = fault.audit;
        let [adds, missing, unknown] = adds(&fault.audit);
        [
            name(strategy),
            fault.what.clone(),
            count(carts),
            count(carts_lost),
            count(carts_shrunk),
            adds,
            missing,
            unknown,
            or_dash(fault.logouts, logouts),
            or_dash(fault.seconds_until_healthy, seconds),
        ]
    };
    Table::new(
        "killed",
        "A server is killed",
        "The carts on the shoppers' lists, compared with what the shop showed afterwards. Too many: \
         more than the acknowledged and the unanswered adds together. Logouts: those that were acknowledged \
         right before. Healthy: when every shopper was served again.",
        [
            "strategy",
            "what was done",
            "carts",
            "lost",
            "shrunk",
            "adds acknowledged",
            "missing",
            "too many",
            "logouts that came back",
            "until healthy",
        ],
        comparison.measured().map(row),
    )
}

fn adds(audit: &Audit) -> [String; 3] {
    [audit.adds_acknowledged, audit.adds_missing, audit.adds_too_many].map(count)
}

fn logouts(logouts: Departures) -> String {
    let [back, all, copies] =
        [logouts.revived, logouts.acknowledged, logouts.revived_by_copy].map(count);
    format!("{back} of {all}; {copies} by a copy of the cookie")
}

fn races(comparison: &Comparison) -> Table {
    let row = |strategy: &Measured| {
        let [adds, missing, unknown] = adds(&strategy.parallel_adds);
        let logouts = strategy.logouts;
        [
            name(strategy),
            adds,
            missing,
            unknown,
            count(logouts.raced),
            count(logouts.revived),
            count(logouts.revived_by_copy),
        ]
    };
    Table::new(
        "races",
        "Several tabs at once",
        "Parallel adds to one cart, and logouts while another request of the session was under way. \
         Came back: the session was live afterwards with the cookie that the browser then had. By a \
         copy: with a cookie that was copied before the logout.",
        [
            "strategy",
            "adds acknowledged",
            "missing",
            "too many",
            "logouts",
            "came back",
            "by a copy",
        ],
        comparison.measured().map(row),
    )
}

fn late_looks(comparison: &Comparison) -> Table {
    let row = |(strategy, looks): (&Measured, LateLooks)| {
        [
            name(strategy),
            or_dash(strategy.strategy.staleness_seconds, |limit| seconds(limit.into())),
            count(looks.changes),
            count(looks.changes_late),
            count(looks.logouts),
            count(looks.logouts_late),
            seconds(looks.longest_seconds),
        ]
    };
    let looks = comparison.measured().filter_map(|strategy| Some((strategy, strategy.late_looks?)));
    Table::new(
        "late-looks",
        "What other servers show late",
        "Only strategies with a shared store. One server acknowledged a change or a logout, and the others, \
         which had just read the session, were asked for it at once. Late: the look did not show the change, \
         or still showed the session. Longest: from the acknowledgement to the start of the last late look.",
        [
            "strategy",
            "reads from memory for",
            "looks after a change",
            "late",
            "looks after a logout",
            "late ones",
            "longest",
        ],
        looks.map(row),
    )
}

fn added(comparison: &Comparison) -> Table {
    let row = |strategy: &Measured| {
        let growth = &strategy.node_added;
        [
            name(strategy),
            format!("{} to {}", growth.nodes_before, growth.nodes_after),
            share(growth.busiest_share_before),
            share(growth.busiest_share_after),
            share(growth.newcomers_share),
            count(growth.audit.carts_lost),
            count(growth.audit.carts_shrunk),
            count(growth.audit.adds_missing),
            or_dash(growth.seconds_until_healthy, seconds),
        ]
    };
    Table::new(
        "added",
        "A server is added",
        "Shares of the requests.",
        [
            "strategy",
            "servers",
            "busiest before",
            "busiest after",
            "the new one",
            "carts lost",
            "shrunk",
            "adds missing",
            "until healthy",
        ],
        comparison.measured().map(row),
    )
}

fn outage(comparison: &Comparison) -> Table {
    let row = |(strategy, fault): (&Measured, &Fault)| {
        let [adds, missing, unknown] = adds(&fault.audit);
        [
            name(strategy),
            fault.what.clone(),
            count(fault.audit.carts),
            count(fault.audit.carts_lost),
            count(fault.audit.carts_shrunk),
            adds,
            missing,
            unknown,
            or_dash(fault.logouts, logouts),
            or_dash(fault.seconds_until_healthy, seconds),
        ]
    };
    let faults = comparison
        .measured()
        .filter_map(|strategy| Some((strategy, strategy.store_outage.as_ref()?)));
    Table::new(
        "outage",
        "The shared store is away, and comes back",
        "Only strategies that have one. Healthy: counted from the end of the outage.",
        [
            "strategy",
            "what was done",
            "carts",
            "lost",
            "shrunk",
            "adds acknowledged",
            "missing",
            "too many",
            "logouts that came back",
            "until healthy",
        ],
        faults.map(row),
    )
}

fn memory_and_traffic(comparison: &Comparison) -> Table {
    let row = |strategy: &Measured| {
        let wire = strategy.wire;
        [
            name(strategy),
            or_dash(strategy.node_bytes_per_session, bytes),
            bytes(wire.from_client),
            bytes(wire.to_client),
            or_dash(wire.between_servers, bytes),
        ]
    };
    Table::new(
        "memory-and-traffic",
        "Memory and traffic",
        "Memory: by how much all servers grew for each session that began. Bytes by request are those \
         under steady load. Bytes between servers go from one server to the others, or to the store, \
         in both directions; they were counted for one shopper alone.",
        [
            "strategy",
            "memory of the servers",
            "from the client",
            "to the client",
            "between servers",
        ],
        comparison.measured().map(row),
    )
}

fn store(comparison: &Comparison) -> Table {
    let row = |strategy: &Measured| {
        let by_kind = strategy.store_commands.map(|counted| {
            let kinds = [counted.untouched, counted.read, counted.write, counted.login];
            let [untouched, read, write, login] = kinds.map(commands);
            [untouched, read, write, login, commands(counted.logout), commands(counted.steady)]
        });
        let [untouched, read, write, login, logout, steady] = by_kind.unwrap_or_else(absent);
        [name(strategy), untouched, read, write, login, logout, steady]
    };
    Table::new(
        "store",
        "Store commands by request",
        "Counted at the store, for one shopper alone on one server. Average: over the requests that \
         the shopper sends under steady load.",
        ["strategy", "untouched", "read", "write", "login", "logout", "average"],
        comparison.measured().map(row),
    )
}

fn cost(comparison: &Comparison, prices: &Prices) -> Table {
    let mix = Mix::from_comparison(comparison);
    let row = |strategy: &Measured| {
        let estimate = Estimate::for_strategy(strategy, mix, prices);
        let billed = or_dash(estimate.as_ref(), |estimate| estimate.billed.clone());
        let at = |size: usize| or_dash(estimate.as_ref(), |found| dollars(found.dollars[size]));
        let basis = match estimate.as_ref().map(|estimate| estimate.basis) {
            Some(Basis::NoStore) => "none",
            Some(Basis::Counted) => "counted here",
            Some(Basis::Promised) => "as promised",
            Some(Basis::Visits) => "of visitors who pause",
            None => "no price is known",
        };
        [name(strategy), billed, basis.to_owned(), at(0), at(1), at(2)]
    };
    let mut table = Table::new(
        "costs",
        "Estimated cost of a million requests more",
        "The requests' part alone, without hours and storage.",
        ["strategy", "billed as", "commands", "", "", ""],
        comparison.measured().map(row),
    );
    for (column, kb) in table.columns[3..].iter_mut().zip(SIZES_KB) {
        *column = format!("at {kb} KB");
    }
    table
}
