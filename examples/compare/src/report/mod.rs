//! Reports a run: in the terminal, as a page and as JSON.
//!
//! Figures are shown as they were measured. Nothing here has an expectation of them.

mod arithmetic;
mod chart;
mod decisions;
mod drawing;
pub mod figures;
mod page;
mod tables;
mod terminal;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cost::Prices;
use crate::results::Comparison;

pub use terminal::terminal;

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

/// Writes `report.json` and `report.html`, each whole or not at all.
pub fn write(comparison: &Comparison, folder: &Path) -> Result<Written, ReportError> {
    let json = serde_json::to_vec_pretty(comparison).map_err(ReportError::Json)?;
    let page = html(comparison)?;
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

fn html(comparison: &Comparison) -> Result<String, ReportError> {
    let prices = Prices::read().map_err(ReportError::Prices)?;
    page::page(comparison, &prices)
}

/// Replaces a file through another one beside it, so that a reader finds the old or the new
/// content.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = fs::write(&beside, contents).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The file may never have existed.
        let _ = fs::remove_file(&beside);
    }
    written
}
