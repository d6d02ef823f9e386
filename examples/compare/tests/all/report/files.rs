//! Tests what `write` leaves in a folder.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use compare::report;
use compare::results::Comparison;

use super::sample;

/// Held while a page of the documentation is compared or written again, because several tests share
/// one.
pub(crate) static PAGES: Mutex<()> = Mutex::new(());

/// A folder that is removed with its content.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloakroom-report-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_page_and_its_figures_are_written_and_nothing_else() {
    let folder = Folder::new();
    let written = report::write(&sample::whole(), &folder.0).unwrap();
    assert_eq!(folder.names(), ["report.html", "report.json"]);
    assert!(written.page.is_file() && written.json.is_file());
    let json = fs::read(&written.json).unwrap();
    let again: Comparison = serde_json::from_slice(&json).unwrap();
    assert_eq!(format!("{again:?}"), format!("{:?}", sample::whole()));
}

#[test]
fn a_new_report_takes_the_place_of_the_former_one() {
    let folder = Folder::new();
    report::write(&sample::whole(), &folder.0).unwrap();
    let written = report::write(&sample::empty(), &folder.0).unwrap();
    assert_eq!(folder.names(), ["report.html", "report.json"]);
    let page = fs::read_to_string(&written.page).unwrap();
    assert!(page.contains("Nothing was measured.") && !page.contains("DynamoDB is"));
    assert_eq!(page.matches("<svg").count(), 1, "only the bills, which are not of a run");
}

#[test]
fn the_folder_is_made() {
    let folder = Folder::new();
    let inside = folder.0.join("of/a run");
    report::write(&sample::empty(), &inside).unwrap();
    assert!(inside.join("report.html").is_file());
}

#[test]
fn what_cannot_be_written_is_an_error_that_names_it_and_leaves_nothing() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("report.html")).unwrap();
    let error = report::write(&sample::empty(), &folder.0).unwrap_err();
    assert!(error.to_string().ends_with("report.html"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(folder.names(), ["report.html", "report.json"]);
}
