//! Pages of invented figures in a real browser.

use std::path::Path;

use compare::report;
use compare::results::{Comparison, Outcome, Sharing};

use super::files::Folder;
use super::sample::{self, HOSTILE};
use crate::page;

async fn shown(comparison: &Comparison) {
    let folder = Folder::new();
    report::write(comparison, &folder.0).unwrap();
    page::holds(&folder.0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_whole_run_is_readable_on_phones_and_screens() {
    shown(&sample::whole()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_run_without_results_too() {
    shown(&sample::empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn long_words_and_markup_in_a_run_are_only_text() {
    let long = format!("{HOSTILE}{}", "x".repeat(300));
    let mut strategy = sample::measured(sample::name("redis", &long, Sharing::Store), 0.0);
    strategy.setting.clone_from(&long);
    strategy.remarks = vec![long.clone()];
    strategy.node_killed.what.clone_from(&long);
    let mut comparison = sample::one(strategy.clone());
    comparison.command.clone_from(&long);
    comparison.machine.versions.insert(long.clone(), long.clone());
    comparison.strategies.push(Outcome::Failed { strategy: strategy.strategy, problem: long });
    shown(&comparison).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_page_that_lacks_a_bar_is_noticed() {
    let folder = Folder::new();
    let written = report::write(&sample::whole(), &folder.0).unwrap();
    let page = std::fs::read_to_string(&written.page).unwrap();
    let bar = page.lines().find(|line| line.starts_with("<rect") && line.contains("#1B3F73"));
    std::fs::write(&written.page, page.replacen(bar.unwrap(), "", 1)).unwrap();
    refused(&folder.0, "marks of the charts").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_page_with_a_script_is_noticed() {
    let folder = Folder::new();
    let written = report::write(&sample::whole(), &folder.0).unwrap();
    let page = std::fs::read_to_string(&written.page).unwrap();
    std::fs::write(&written.page, page.replace("</main>", "<script>1</script></main>")).unwrap();
    refused(&folder.0, "no error of a script").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_page_that_is_wider_than_a_phone_is_noticed() {
    let folder = Folder::new();
    let written = report::write(&sample::whole(), &folder.0).unwrap();
    let page = std::fs::read_to_string(&written.page).unwrap();
    let wide = "<canvas width=\"500\" height=\"9\"></canvas></main>";
    std::fs::write(&written.page, page.replace("</main>", wide)).unwrap();
    refused(&folder.0, "at 390").await;
}

async fn refused(folder: &Path, reason: &str) {
    let folder = folder.to_owned();
    let checked = tokio::spawn(async move { page::holds(&folder).await }).await;
    let panic = checked.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(reason), "{message}");
}
