//! Checks a `report.html` in a browser, whatever was measured. What the charts have to show is
//! counted in the `report.json` beside it.

use std::path::Path;

use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

use cloakroom_testing::chromium::{Scripts, Tab, browse};

const PHONE: u32 = 390;
const WIDTHS: [u32; 3] = [PHONE, 768, 1200];

/// Each kind of mark has a colour of its own within its chart.
const MARKS: &str = "
    const colors = {
        latency: ['#8FB8DE', '#3F7FBF', '#1B3F73'], survivors: ['#5B9360', '#E0A030', '#B8322A'],
        load: ['#B3A994', '#2F5D34'], cost: ['#8FB8DE', '#3F7FBF', '#1B3F73'],
    };
    return Object.fromEntries(Object.entries(colors).map(([chart, colors]) => [chart, colors.map(
        color => document.querySelectorAll(`#${chart} svg rect[fill='${color}']`).length)]));";

/// Returns the elements that stick out to the right, by tag and text.
const OVERFLOWING: &str = "
    const page = document.scrollingElement.clientWidth;
    return [...document.body.querySelectorAll('*')]
        .filter(element => !element.closest('thead'))
        .filter(element => element.getBoundingClientRect().right > page + 1)
        .map(element => `${element.tagName}: ${element.textContent.slice(0, 60)}`)";

/// Opens the page of this folder at several widths, in the light and in the dark mode.
pub(crate) async fn holds(folder: &Path) {
    let page = format!("file://{}", folder.join("report.html").canonicalize().unwrap().display());
    let json = std::fs::read(folder.join("report.json")).unwrap();
    let expected = marks(&serde_json::from_slice(&json).unwrap());
    browse(Scripts::On, |tab| async move {
        for scheme in ["light", "dark"] {
            for width in WIDTHS {
                as_screen(&tab, width, scheme).await;
                tab.open(&page).await;
                nothing_scrolls_sideways(&tab, width).await;
                let drawn = run(&tab, MARKS).await;
                assert_eq!(drawn, expected, "marks of the charts, {width} px, {scheme}");
                tables_and_descriptions(&tab).await;
                texts_can_be_read(&tab, width).await;
            }
        }
        let loaded = "return performance.getEntriesByType('resource').map(entry => entry.name)";
        assert_eq!(run(&tab, loaded).await, json!([]), "a page that loads nothing");
        assert_eq!(
            complaints(&tab).await,
            json!([]),
            "no error of a script, the policy or the page"
        );
    })
    .await;
}

async fn run(tab: &Tab, script: &str) -> Value {
    tab.0.execute(script, vec![]).await.unwrap()
}

async fn nothing_scrolls_sideways(tab: &Tab, width: u32) {
    assert_eq!(run(tab, "return innerWidth").await, json!(width), "the screen that was asked for");
    let scrolled = run(tab, "return document.scrollingElement.scrollWidth").await;
    let overflowing = run(tab, OVERFLOWING).await;
    assert!(scrolled.as_u64().unwrap() <= u64::from(width), "{scrolled} at {width}: {overflowing}");
    assert_eq!(overflowing, json!([]), "at {width} px");
}

/// Checks that a reader who does not see a chart has its title, its description and all its
/// figures.
async fn tables_and_descriptions(tab: &Tab) {
    let without = "return [...document.querySelectorAll('.drawing')].filter(drawing => {
        const text = name => document.getElementById(drawing.getAttribute(name))?.textContent;
        return !(text('aria-labelledby') && text('aria-describedby')
            && drawing.closest('figure').querySelector('details table tbody tr'));
    }).length";
    assert_eq!(run(tab, without).await, json!(0), "charts without words");
}

/// Checks that the letters of the charts, which shrink with the page, stay readable.
async fn texts_can_be_read(tab: &Tab, width: u32) {
    let smallest = "return Math.min(16, ...[...document.querySelectorAll('svg text')].map(text =>
        parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))";
    let smallest = run(tab, smallest).await.as_f64().unwrap();
    assert!(smallest > 10.5, "letters of {smallest} px at {width} px");
}

/// Sets the size of the viewport, since a window cannot be as narrow as a phone.
async fn as_screen(tab: &Tab, width: u32, scheme: &str) {
    let screen = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": false});
    let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
    for (cmd, params) in
        [("Emulation.setDeviceMetricsOverride", screen), ("Emulation.setEmulatedMedia", media)]
    {
        ask(tab, "goog/cdp/execute", &json!({"cmd": cmd, "params": params})).await;
    }
}

/// Returns what the browser has written to its console.
async fn complaints(tab: &Tab) -> Value {
    ask(tab, "se/log", &json!({"type": "browser"})).await
}

async fn ask(tab: &Tab, path: &'static str, body: &Value) -> Value {
    tab.0.issue_cmd(Extension { path, body: body.to_string() }).await.unwrap()
}

/// Sends a command that chromedriver has beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}

/// Returns how often each series of a chart has to be there, in the order of the legend.
fn marks(report: &Value) -> Value {
    let all = report["strategies"].as_array().unwrap();
    let measured: Vec<_> = all.iter().filter(|each| each["outcome"] == "measured").collect();
    let count = |there: &dyn Fn(&Value) -> bool| measured.iter().filter(|each| there(each)).count();
    let latency = count(&|strategy| {
        let phases = strategy["phases"].as_array().unwrap();
        phases.iter().any(|phase| phase["name"] == "steady" && !phase["latency"].is_null())
    });
    let carts =
        |strategy: &Value, part: &str| strategy["node_killed"]["audit"][part].as_u64().unwrap();
    let shrunk = count(&|strategy| carts(strategy, "carts_shrunk") > 0);
    let lost = count(&|strategy| carts(strategy, "carts_lost") > 0);
    let gone = |strategy: &Value| carts(strategy, "carts_shrunk") + carts(strategy, "carts_lost");
    let kept = count(&|strategy| carts(strategy, "carts") > gone(strategy));
    let shares = measured.len();
    // RDS bills hours, and nothing for a request.
    let is_by_the_hour =
        |strategy: &Value| ["mysql", "postgres"].iter().any(|id| strategy["strategy"]["id"] == *id);
    let billed = count(&|strategy| !is_by_the_hour(strategy));
    json!({
        "latency": [latency, latency, latency],
        "survivors": [kept, shrunk, lost],
        "load": [shares, shares],
        "cost": [billed, billed, billed],
    })
}
