//! The bills of a month in the README and in `docs/measured.md` are what `month` computes.
//!
//! ```text
//! UPDATE_DOCS=1 cargo test -p compare --test all bills_page
//! ```

use std::fs;
use std::sync::PoisonError;

use compare::month::{
    Crossing, DECADES, FEWEST, HOURS, MOST, NodeTypes, Shop, cheapest, crossings,
};
use compare::prices::Prices;
use compare::report::figures::{amount, bytes, monthly, rate};
use compare::report::{self, Costs, cell, hourly, memory_cell};

use super::files::PAGES;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Which of the rates have a column: 1, 100 and 10,000 requests a second.
const COLUMNS: [usize; 3] = [1, 3, 5];

fn costs() -> Costs {
    let (prices, types) = (Prices::read().unwrap(), NodeTypes::read().unwrap());
    Costs::compute(&Shop::default(), &prices, &types)
}

/// Compares the part of a page between two comments, or writes it.
pub(super) fn check(page: &str, name: &str, generated: &str) {
    // A test that failed beside this one has not spoiled the page.
    let _turn = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let path = format!("{ROOT}/{page}");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no {begin} in {page}"));
    let (found, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{generated}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, generated, "{page}: UPDATE_DOCS=1 writes it again");
    }
}

pub(super) fn row(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

/// The bills as a table, with or without a column that says what each set-up is.
fn table(costs: &Costs, explained: bool) -> String {
    let [first, more @ ..] = COLUMNS.map(|column| rate(DECADES[column]));
    let explanation = |text: &str| explained.then(|| text.to_owned());
    let mut heads = vec!["smallest set-up in several zones".to_owned()];
    heads.extend(explanation("what it is, and what can be lost"));
    heads.push(format!("{first} request a second"));
    heads.extend(more);
    let mut text = row(heads.clone());
    text += &format!("|{}\n", "---|".repeat(heads.len()));
    for setup in &costs.setups {
        let months = COLUMNS.map(|column| cell(&setup.months[column]));
        let names = [setup.title.to_owned()].into_iter().chain(explanation(setup.availability));
        text += &row(names.chain(months));
    }
    text
}

/// The answer in a sentence: which store is the cheapest, and from where on.
fn in_short(costs: &Costs) -> String {
    let shop = Shop::default();
    let (prices, types) = (Prices::read().unwrap(), NodeTypes::read().unwrap());
    let at = |rate| cheapest(&shop, rate, &prices, &types).unwrap();
    let mut text =
        format!("Of the stores that all servers share, the cheapest is {}", at(FEWEST).title());
    for crossing in &costs.crossings {
        let (before, after) =
            (at(0.999 * crossing.requests_per_second), at(1.001 * crossing.requests_per_second));
        if before != after {
            let (requests, title) = (rate(crossing.requests_per_second), after.title());
            text += &format!(", up to {requests} requests\na second, and {title} from there on");
        }
    }
    text + ".\n"
}

/// Why it is the cheapest, in dollars for a million requests and for what is paid without any.
fn why(costs: &Costs) -> String {
    let part = |id: &str, billed: &str| {
        let setup = costs.setups.iter().find(|setup| setup.id == id).unwrap();
        let parts = &setup.months[COLUMNS[0]].parts;
        parts.iter().find(|part| part.billed == billed).unwrap().dollars.unwrap()
    };
    let million = |dollars: f64| format!("${:.4}", dollars / (HOURS * 3600.0 / 1e6));
    let units = part("dynamodb", "million read units") + part("dynamodb", "million write units");
    format!(
        "The reason: for a million requests DynamoDB bills {}, and ElastiCache Serverless for Valkey {}. But \
         Serverless\nalso bills {} a month for its least size, and for Redis OSS and Memcached {}. Two of the smallest \
         Valkey nodes cost {}\na month, and their bytes between zones {} for a million requests: more than \
         Serverless takes for the requests.\n",
        million(units),
        million(part("valkey-serverless", "million ECPUs")),
        monthly(part("valkey-serverless", "GB hours")),
        monthly(part("redis-serverless", "GB hours")),
        monthly(part("valkey-nodes", "node hours")),
        million(part("valkey-nodes", "GB between zones")),
    )
}

/// The set-ups that are not compared with the others, in dollars for a million requests beside DynamoDB's.
fn beside(costs: &Costs) -> String {
    let million = |id: &str| {
        let setup = costs.setups.iter().find(|setup| setup.id == id).unwrap();
        // At the highest rate hardly anything is paid without a request.
        let dollars = setup.months.last().unwrap().dollars.unwrap();
        format!("${:.2}", dollars / (MOST * HOURS * 3600.0 / 1e6))
    };
    format!(
        "Not compared, because reads may be late: DynamoDB behind `Near`, with sticky sessions. A million requests then \
         cost\n{} at a staleness of 1 s and {} at 5 s, in place of {}: the writes stay. Nor is S3 Express One Zone, which \
         is in\none zone: {}. S3 Standard costs {}.\n",
        million("dynamodb-near-1s"),
        million("dynamodb-near-5s"),
        million("dynamodb"),
        million("s3-express"),
        million("s3"),
    )
}

/// From which rate on nodes are the cheapest if no byte of theirs crosses between zones.
fn in_one_zone() -> String {
    let shop = Shop { zones: 1.0, ..Shop::default() };
    let (prices, types) = (Prices::read().unwrap(), NodeTypes::read().unwrap());
    let found = crossings(&shop, &prices, &types);
    let is_it = |crossing: &&Crossing| {
        (crossing.below, crossing.above) == ("valkey-serverless", "valkey-nodes")
    };
    let crossing = found.iter().find(is_it).unwrap();
    format!(
        "If all servers of the app are in the zone of the primary, nothing crosses, and nodes of Valkey are\nthe \
         cheapest from {} requests a second on. But such an app stops with its zone.\n",
        rate(crossing.requests_per_second)
    )
}

#[test]
fn the_readme_has_the_bills() {
    let costs = costs();
    let text = [
        table(&costs, false),
        "\n".to_owned(),
        in_short(&costs),
        why(&costs),
        in_one_zone(),
        beside(&costs),
    ]
    .concat();
    check("README.md", "bills", &text);
}

#[test]
fn the_measured_page_has_the_bills_with_their_assumptions() {
    let costs = costs();
    let mut text = table(&costs, true);
    text += "\nWhich of two stores costs less, by requests a second:\n\n";
    let title = |id: &str| costs.setups.iter().find(|setup| setup.id == id).unwrap().title;
    for crossing in &costs.crossings {
        text += &format!(
            "* Up to {} a second: {}. From there on: {}. Both cost {} a month there.\n",
            rate(crossing.requests_per_second),
            title(crossing.below),
            title(crossing.above),
            monthly(crossing.dollars)
        );
    }
    text += &format!("\n{}{}{}{}", in_short(&costs), why(&costs), in_one_zone(), beside(&costs));
    text += "Nodes of Valkey cost the least then if one costs less an hour than this:\n\n";
    text += &row([
        "requests a second",
        "nodes",
        "one costs",
        "to be the cheapest, less than",
        "between zones otherwise",
    ]
    .map(str::to_owned));
    text += "|---|---|---|---|---|\n";
    for rival in &costs.node_prices_to_beat {
        text += &row([
            rate(rival.requests_per_second),
            format!("{} × {}", rival.nodes.number, rival.nodes.node_type),
            hourly(rival.listed_dollars_per_hour),
            format!("${:.4}, against {}", rival.dollars_per_hour, title(rival.beats)),
            format!("{} GB", amount(rival.gb_between_zones)),
        ]);
    }
    text += "\nWhat the bills assume:\n\n";
    for line in report::assumptions(&costs.assumptions) {
        text += &format!("* {line}\n");
    }
    text += &format!("* Not included: {}.\n", costs.not_included.join("; "));
    text += &format!("\nPrices in {}:\n\n", costs.region);
    for price in &costs.prices {
        text += &format!(
            "* {}, {}: {} (as of {}: {})\n",
            price.service,
            price.billing,
            price.charges,
            price.as_of,
            linked(&price.source)
        );
    }
    check("docs/measured.md", "bills", &text);
}

/// Puts the brackets around addresses that Markdown wants.
fn linked(text: &str) -> String {
    let word = |word: &str| match word.starts_with("https://") {
        true => {
            let end = word.trim_end_matches([',', ';', '.', ')']).len();
            format!("<{}>{}", &word[..end], &word[end..])
        }
        false => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_measured_page_has_the_memory() {
    let costs = costs();
    let sessions = costs.memory[0].holding.iter().map(|holding| rate(holding.sessions));
    let heads = ["sessions of 2 KB in".to_owned(), "each".to_owned()];
    let mut text = row(heads.into_iter().chain(sessions));
    text += &format!("|{}\n", "---|".repeat(2 + costs.memory[0].holding.len()));
    for memory in &costs.memory {
        let cells = memory.holding.iter().map(memory_cell);
        let each = bytes(memory.bytes_per_session);
        text += &row([memory.title.to_owned(), each].into_iter().chain(cells));
    }
    check("docs/measured.md", "memory", &text);
}
