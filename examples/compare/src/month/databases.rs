//! Databases: the smallest RDS class, or the capacity of Aurora Serverless v2, that keeps the live
//! sessions in memory and has the processor time for the commands; and what both cost.

use serde::Deserialize;

use super::bill::{ACU_HOURS, NODE_HOURS};
use super::setup::{BYTES_PER_GB, MILLION, SWEEP_HOURS, between_zones, stored};
use super::{HOURS, Load, Nodes, Part, Place, SECONDS, Shop};
use crate::prices::{Aurora, Prices};

/// The part of an instance's memory that holds rows: what RDS tells PostgreSQL's planner to expect
/// (`effective_cache_size`). The rest is for connections, the system and old versions of rows.
const MEMORY_FOR_ROWS: f64 = 0.5;
/// Processor seconds of a load and of a write of 2 KB. They are assumed, after PostgreSQL 15 on two cores that also
/// ran the clients; no program here measures them.
const PROCESSOR_SECONDS: (f64, f64) = (0.000_1, 0.000_3);
/// A primary and its standby, or a writer and a reader.
const INSTANCES: f64 = 2.0;
/// Bytes on disk for each byte of rows: dead rows that wait for vacuum, the log and free space.
const ROOM_ON_DISK: f64 = 2.0;
/// A capacity unit of Aurora: its memory, and the processors that an r class has for that much.
const ACU_BYTES: f64 = 2.0 * BYTES_PER_GB;
const ACU_PROCESSORS: f64 = 0.25;
/// Aurora's smallest capacity and its steps.
const ACU_STEP: f64 = 0.5;
/// The log of a change beside the session's bytes, and the unit in which Aurora bills it.
const LOG_BYTES: f64 = 650.0;
const IO_BYTES: f64 = 4096.0;

/// Classes of RDS.
#[derive(Debug, Deserialize)]
pub struct Databases {
    pub source: String,
    pub as_of: String,
    pub notice: String,
    /// By size, the smallest first.
    classes: Vec<Class>,
}

#[derive(Debug, Deserialize)]
struct Class {
    #[serde(rename = "type")]
    name: String,
    memory_gib: f64,
    /// The processors that it has all the time. A burstable class has a part of its processors.
    processors: f64,
}

impl Databases {
    /// Returns a primary and a standby of the smallest class that keeps so many bytes of rows in
    /// memory and has so many processors; `None` where no class does, because one primary takes all
    /// writes.
    pub fn holding(&self, bytes: f64, processors: f64) -> Option<Nodes> {
        let suffices = |class: &&Class| {
            MEMORY_FOR_ROWS * class.memory_gib * BYTES_PER_GB >= bytes
                && class.processors >= processors
        };
        let class = self.classes.iter().find(suffices)?;
        Some(Nodes { node_type: class.name.clone(), number: 2 })
    }
}

/// Returns the processors that are busy all the time.
pub(super) fn processors(load: Load) -> f64 {
    let (read, write) = PROCESSOR_SECONDS;
    (load.loads * read + load.writes() * write) / SECONDS
}

pub(super) fn rds(shop: &Shop, load: Load, nodes: Option<&Nodes>, prices: &Prices) -> Vec<Part> {
    let rds = prices.rds.as_ref();
    let hour = nodes.and_then(|nodes| rds?.dollars_per_hour.get(&nodes.node_type)).copied();
    let disk = on_disk(shop, load).max(rds.map_or(0.0, |rds| rds.least_gb));
    vec![
        Part::new(NODE_HOURS, INSTANCES * HOURS, hour),
        Part::new("GB stored", INSTANCES * disk, rds.map(|rds| rds.dollars_per_gb_month)),
        between_zones(shop, load, prices),
    ]
}

/// The parts of the configuration that costs less: Standard, or I/O-Optimized.
pub(super) fn aurora(shop: &Shop, load: Load, live_bytes: f64, prices: &Prices) -> Vec<Part> {
    let acu_hours = INSTANCES * capacity_units(live_bytes, processors(load)) * HOURS;
    let ios = load.writes() * ((shop.session_bytes + LOG_BYTES) / IO_BYTES).ceil() / MILLION;
    let parts = |hour, month, io| {
        let parts = [
            Part::new(ACU_HOURS, acu_hours, hour),
            Part::new("GB stored", on_disk(shop, load), month),
            Part::new("million I/Os", ios, io),
        ];
        parts.into_iter().chain([between_zones(shop, load, prices)]).collect::<Vec<_>>()
    };
    let Some(known) = &prices.aurora else { return parts(None, None, None) };
    let choices = choices(known).map(|(hour, month, io)| parts(Some(hour), Some(month), Some(io)));
    let dollars = |parts: &[Part]| parts.iter().filter_map(|part| part.dollars).sum::<f64>();
    let [standard, optimized] = choices;
    if dollars(&optimized) < dollars(&standard) { optimized } else { standard }
}

/// The prices of an ACU and hour, of a GB and month and of a million I/Os.
fn choices(prices: &Aurora) -> [(f64, f64, f64); 2] {
    let optimized = &prices.io_optimized;
    [
        (prices.dollars_per_acu_hour, prices.dollars_per_gb_month, prices.dollars_per_million_ios),
        (optimized.dollars_per_acu_hour, optimized.dollars_per_gb_month, 0.0),
    ]
}

fn capacity_units(bytes: f64, processors: f64) -> f64 {
    let units = (bytes / (MEMORY_FOR_ROWS * ACU_BYTES)).max(processors / ACU_PROCESSORS);
    (units / ACU_STEP).ceil().max(1.0) * ACU_STEP
}

fn on_disk(shop: &Shop, load: Load) -> f64 {
    ROOM_ON_DISK * stored(shop, load, Place::PostgreSql, SWEEP_HOURS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::month::NodeTypes;

    const GIB: f64 = BYTES_PER_GB;

    fn holding(bytes: f64, processors: f64) -> Option<String> {
        let types = NodeTypes::read().unwrap();
        types.databases.holding(bytes, processors).map(|nodes| nodes.node_type)
    }

    #[test]
    fn half_of_the_memory_holds_rows() {
        assert_eq!(holding(0.5 * GIB, 0.0).unwrap(), "db.t4g.micro");
        assert_eq!(holding(0.5 * GIB + 1.0, 0.0).unwrap(), "db.t4g.small");
        assert_eq!(holding(256.0 * GIB, 0.0).unwrap(), "db.r7g.16xlarge");
        assert_eq!(holding(256.0 * GIB + 1.0, 0.0), None);
    }

    #[test]
    fn a_burstable_class_has_a_part_of_its_processors() {
        assert_eq!(holding(0.0, 0.2).unwrap(), "db.t4g.micro");
        assert_eq!(holding(0.0, 0.6).unwrap(), "db.t4g.large");
        assert_eq!(holding(0.0, 0.61).unwrap(), "db.m7g.large");
        assert_eq!(holding(0.0, 64.1), None);
    }

    #[test]
    fn aurora_grows_by_half_a_unit() {
        let units = [(0.0, 0.0), (0.5, 0.125), (0.51, 0.0), (0.0, 0.126), (3.2, 1.7)];
        let units = units.map(|(gib, processors)| capacity_units(gib * GIB, processors));
        assert_eq!(units, [0.5, 0.5, 1.0, 1.0, 7.0]);
    }

    #[test]
    fn the_classes_are_in_the_order_of_their_size() {
        let types = NodeTypes::read().unwrap();
        let classes = &types.databases.classes;
        assert!(classes.is_sorted_by_key(|class| class.memory_gib));
        assert!(classes.is_sorted_by_key(|class| class.processors));
    }
}
