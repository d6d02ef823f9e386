//! A headless Chromium with its own profile, driven through chromedriver.

use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::time::timeout;

use crate::processes::{Folder, Process, answers, free_port};

const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scripts {
    On,
    Off,
}

/// Runs `visit` in a new browser, and closes the browser even if `visit` panics. Only killing
/// chromedriver would leave Chromium running.
pub async fn browse<F>(scripts: Scripts, visit: impl FnOnce(Tab) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let driver = Driver::start();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(driver.capabilities(scripts));
    let client = builder.connect(&driver.url).await.expect("chromedriver opens Chromium");
    let visited = tokio::spawn(visit(Tab(client.clone()))).await;
    let closed = client.close().await;
    if let Err(failure) = visited {
        std::panic::resume_unwind(failure.into_panic());
    }
    closed.unwrap();
}

struct Driver {
    _process: Process,
    url: String,
    folder: Folder,
}

impl Driver {
    /// Starts chromedriver on a port of ours. If it chose one itself, it would ask the kernel for a port of
    /// `::1` and then end if somebody has the same one on `127.0.0.1`, as other tests may.
    fn start() -> Self {
        let folder = Folder::new();
        let port = free_port();
        let program = ["chromedriver".to_owned(), format!("--port={port}")];
        let process = Process::start(program, folder.join("chromedriver.log"));
        process.wait_until("chromedriver listens", || answers(port));
        Self { _process: process, url: format!("http://127.0.0.1:{port}"), folder }
    }

    fn capabilities(&self, scripts: Scripts) -> fantoccini::wd::Capabilities {
        let profile = format!("--user-data-dir={}", self.folder.join("profile").display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
        ];
        let block = 2;
        let preferences = match scripts {
            Scripts::On => json!({}),
            Scripts::Off => json!({"profile.managed_default_content_settings.javascript": block}),
        };
        let options = json!({"args": arguments, "prefs": preferences});
        let logs = json!({"browser": "ALL"});
        let wanted = [("goog:chromeOptions", options), ("goog:loggingPrefs", logs)];
        wanted.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

/// A browser tab, as its user sees it.
pub struct Tab(pub Client);

impl Tab {
    pub async fn open(&self, url: &str) {
        self.0.goto(url).await.unwrap();
    }

    pub async fn click(&self, css: &str) {
        self.0.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    pub async fn write(&self, css: &str, text: &str) {
        self.0.find(Locator::Css(css)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Waits until an element has this text, because a click returns before the next page is
    /// loaded.
    pub async fn sees(&self, css: &str, text: &str) {
        let shown = timeout(TIMEOUT, async {
            while self.text(css).await.as_deref() != Some(text) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        if shown.await.is_err() {
            let source = self.0.source().await.unwrap_or_default();
            panic!("{css} is {:?}, not {text:?}, in {source}", self.text(css).await);
        }
    }

    pub async fn has(&self, css: &str) -> bool {
        !self.0.find_all(Locator::Css(css)).await.unwrap().is_empty()
    }

    /// Returns the text of an element; `None` also while the next page is loading.
    async fn text(&self, css: &str) -> Option<String> {
        self.0.find(Locator::Css(css)).await.ok()?.text().await.ok()
    }
}
