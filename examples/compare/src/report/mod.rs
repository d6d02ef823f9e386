//! Reports a run: in the terminal, as a page and as JSON.
//!
//! Figures are shown as they were measured. Nothing here has an expectation of them.

mod arithmetic;
mod chart;
mod costs;
mod curves;
mod decisions;
mod drawing;
pub mod figures;
mod money;
mod page;
mod tables;
mod terminal;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::losses::Losses;
use crate::month::{NodeTypes, Shop};
use crate::prices::Prices;
use crate::results::Comparison;

pub use costs::Costs;
pub use money::{assumptions, cell, hourly, memory_cell};
pub use terminal::{costs as terminal_costs, terminal};

/// The files that a report was written to.
#[derive(Debug)]
pub struct Written {
    pub json: PathBuf,
    pub page: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the report as JSON")]
    Json(#[source] serde_json::Error),
    #[error("the price file")]
    Prices(#[source] serde_json::Error),
    #[error("the chart {chart}")]
    Drawing { chart: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

/// What `report.json` holds: the measurements, and what follows from them and from the prices.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    comparison: &'a Comparison,
    losses: Vec<Losses>,
    costs: Costs,
}

/// Writes `report.json` and `report.html`, each whole or not at all.
pub fn write(comparison: &Comparison, folder: &Path) -> Result<Written, ReportError> {
    let prices = Prices::read().map_err(ReportError::Prices)?;
    let types = NodeTypes::read().map_err(ReportError::Prices)?;
    let losses = comparison.measured().map(Losses::of).collect();
    let costs = Costs::compute(&Shop::default(), &prices, &types);
    let page = page::page(comparison, &prices, &costs)?;
    let report = Report { comparison, losses, costs };
    let json = serde_json::to_vec_pretty(&report).map_err(ReportError::Json)?;
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError::File { path, source }
    };
    fs::create_dir_all(folder).map_err(file(folder))?;
    let written = Written { json: folder.join("report.json"), page: folder.join("report.html") };
    replace(&written.json, &json).map_err(file(&written.json))?;
    replace(&written.page, page.as_bytes()).map_err(file(&written.page))?;
    Ok(written)
}

/// Replaces a file through another one beside it, so that a reader finds the old or the new
/// content.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = fs::write(&beside, contents).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The file may never have existed.
        let _ = fs::remove_file(&beside);
    }
    written
}
