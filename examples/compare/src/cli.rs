//! The command line: the options, and the roles in which the program starts itself.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::month::Shop;

/// Runs one shop under every way of keeping sessions, breaks things on purpose, and shows what was
/// lost.
#[derive(Debug, Parser)]
#[command(name = "compare", args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Short phases: all strategies in a minute, with rougher figures
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these strategies, with commas between them [default: all]
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// How many servers the shop has, 2 to 8
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=8))]
    pub(crate) nodes: u8,
    /// How many shoppers visit at once [default: 16, with --quick 8]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) shoppers: Option<u16>,
    /// The seed of the shoppers' random choices
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How much each session carries beside its cart, in KB of 1000 bytes
    #[arg(long, default_value_t = 2.0, value_parser = kilobytes)]
    pub(crate) session_kb: f64,
    /// Also run Redis or Valkey with a replica that Sentinels promote when the primary is killed
    #[arg(long)]
    pub(crate) failover: bool,
    /// Clusters answer a change only once the copies have arrived
    #[arg(long)]
    pub(crate) synchronous: bool,
    /// For how many seconds the balancer's cookie binds a shopper to a node, 1 to 604800
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub(crate) stickiness: u32,
    /// Instead of a comparison, measure a store that you already have: a URL for `cloakroom::connect`, or
    /// env:NAME for the URL in a variable, which the list of processes does not show. Can be repeated
    #[arg(long, value_name = "URL", conflicts_with_all = ["only", "nodes", "shoppers", "failover"])]
    pub(crate) store: Vec<String>,
    /// The folder for the report
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    pub(crate) out: PathBuf,
}

fn kilobytes(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(kilobytes) if (0.0..=300.0).contains(&kilobytes) => Ok(kilobytes),
        _ => Err("a number from 0 to 300"),
    }
}

impl Options {
    pub(crate) fn shoppers(&self) -> usize {
        self.shoppers.map_or(if self.quick { 8 } else { 16 }, usize::from)
    }

    /// The bytes that each session carries beside its cart.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 300,000
    pub(crate) fn session_bytes(&self) -> usize {
        (self.session_kb * 1000.0) as usize
    }
}

/// What the program does instead of a comparison, and the roles in which it starts itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Prints what each store costs in a month, and how much memory it needs, without running anything
    Costs(Costs),
    /// Becomes another program that ends with its parent
    #[command(hide = true)]
    Attached(Attached),
    /// Stands for a program in a guest of scripts/nfs-test, which ends with it
    #[command(hide = true)]
    InGuest(InGuest),
    /// Removes a folder when its standard input ends
    #[command(hide = true)]
    Janitor { folder: PathBuf },
    /// One server of the shop
    #[command(hide = true)]
    Node(Node),
    /// A DynamoDB that keeps all in its memory
    #[command(hide = true)]
    DynamodbEmulator,
}

#[derive(Args, Debug)]
pub(crate) struct Costs {
    /// The size of a session as it is stored, in KB of 1024 bytes
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
    session_kb: f64,
    /// How many requests of a visit use the session; the first one begins it
    #[arg(long, default_value_t = 20.0, value_parser = positive)]
    requests_per_visit: f64,
    /// How many of these change the session, the first one included
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    changes_per_visit: f64,
    /// How many minutes a visit takes
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    minutes_per_visit: f64,
    /// How many minutes a session lives after a visit
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    idle_minutes: f64,
    /// Over how many availability zones the app's servers are spread
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=6))]
    zones: u8,
    /// Prices of your own, in the form of docs/aws-prices.json
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(number) if (0.01..=1e6).contains(&number) => Ok(number),
        _ => Err("a number from 0.01 to 1000000"),
    }
}

impl Costs {
    pub(crate) fn shop(&self) -> Result<Shop, &'static str> {
        if !(1.0..=self.requests_per_visit).contains(&self.changes_per_visit) {
            return Err("a visit changes its session at least once, and in each request at most");
        }
        Ok(Shop {
            session_bytes: self.session_kb * 1024.0,
            requests_per_visit: self.requests_per_visit,
            changes_per_visit: self.changes_per_visit,
            minutes_per_visit: self.minutes_per_visit,
            idle_minutes: self.idle_minutes,
            zones: self.zones.into(),
        })
    }
}

#[derive(Args, Debug)]
pub(crate) struct Attached {
    pub(crate) parent: u32,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct InGuest {
    pub(crate) actor: SocketAddr,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Node {
    #[arg(long)]
    pub(crate) name: String,
    /// The address of the machine that it runs on
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST.into())]
    pub(crate) listen: IpAddr,
    /// A URL for `cloakroom::connect`, or a kind of cluster
    #[arg(long)]
    pub(crate) store: String,
    /// How many bytes each session carries beside its cart
    #[arg(long)]
    pub(crate) session_bytes: usize,
    #[arg(long)]
    pub(crate) cluster: Option<Copies>,
    #[arg(long)]
    pub(crate) synchronous: bool,
    /// The cluster ports of the nodes that are running already
    #[arg(long, value_delimiter = ',')]
    pub(crate) peers: Vec<u16>,
}

/// The places of a session's copies in a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Copies {
    Everywhere,
    OneBackup,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(words.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_depend_on_quick() {
        assert_eq!(parsed("compare").unwrap().options.shoppers(), 16);
        assert_eq!(parsed("compare --quick").unwrap().options.shoppers(), 8);
        assert_eq!(parsed("compare --quick --shoppers 3").unwrap().options.shoppers(), 3);
        assert_eq!(parsed("compare --session-kb 0.5").unwrap().options.session_bytes(), 500);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for words in
            ["--nodes 1", "--nodes 9", "--stickiness 0", "--stickiness 604801", "--session-kb -1"]
        {
            assert!(parsed(&format!("compare {words}")).is_err(), "{words}");
        }
    }

    #[test]
    fn the_shop_of_the_bills_is_that_of_the_documentation_unless_it_is_told_otherwise() {
        let costs = |words: &str| match parsed(&format!("compare costs {words}")).unwrap().role {
            Some(Role::Costs(costs)) => costs.shop(),
            role => panic!("{role:?}"),
        };
        assert_eq!(costs(""), Ok(Shop::default()));
        let larger = Shop { session_bytes: 6144.0, zones: 3.0, ..Shop::default() };
        assert_eq!(costs("--session-kb 6 --zones 3"), Ok(larger));
        assert!(costs("--changes-per-visit 21").is_err());
        assert!(costs("--changes-per-visit 0.5").is_err());
        assert!(parsed("compare costs --idle-minutes nan").is_err());
    }

    #[test]
    fn an_attached_program_keeps_its_own_options() {
        let cli = parsed("compare attached 7 memcached -l 127.0.0.1 --nodes 99").unwrap();
        let Some(Role::Attached(attached)) = cli.role else { panic!("{cli:?}") };
        assert_eq!(attached.parent, 7);
        assert_eq!(attached.words.len(), 5);
    }
}
