//! The cart example in a real browser, with the browser's rules for cookies, caches and "back".
//!
//! ```text
//! cargo test -p browser-tests -- --include-ignored
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cloakroom_testing::chromium::{Scripts, Tab, browse};
use cloakroom_testing::examples::Server;
use serde_json::json;

const ADD_APPLE: &str = r#"button[aria-label="Add Apple to the cart"]"#;
const ADD_PEAR: &str = r#"button[aria-label="Add Pear to the cart"]"#;

/// A page that shows whether scripts are on.
const SCRIPTED: &str =
    "data:text/html,<p>off</p><script>document.querySelector('p').textContent = 'on'</script>";

/// Returns the shop's URL with the host name for which browsers accept `Secure` cookies over plain
/// HTTP.
fn shop() -> (Server, String) {
    let server = Server::start("cart", &[("NODE", "west")]);
    let url = server.url.replace("127.0.0.1", "localhost");
    (server, url)
}

async fn ticket(tab: &Tab) -> Option<String> {
    let cookies = tab.0.get_all_cookies().await.unwrap();
    assert!(cookies.len() <= 1, "one cookie at most: {cookies:?}");
    cookies.first().map(|cookie| cookie.value().to_owned())
}

async fn log_in(tab: &Tab, name: &str) {
    tab.write("#name", name).await;
    tab.click("#login").await;
    tab.sees("#user", name).await;
}

/// Visits the shop. The visit is the same with and without scripts.
async fn visit(tab: Tab, url: String) {
    tab.open(&url).await;
    tab.sees("#count", "0").await;
    tab.sees("#node", "west").await;
    assert_eq!(ticket(&tab).await, None, "looking around costs no cookie");

    tab.click(ADD_APPLE).await;
    tab.sees("#count", "1").await;
    tab.click(r#"button[aria-label="One Apple more"]"#).await;
    tab.sees("#count", "2").await;
    tab.0.refresh().await.unwrap();
    tab.sees("#count", "2").await;

    let anonymous = ticket(&tab).await.unwrap();
    log_in(&tab, "alice").await;
    tab.sees("#count", "2").await;
    assert_ne!(ticket(&tab).await.unwrap(), anonymous, "a login changes the id");

    tab.click(ADD_PEAR).await;
    tab.sees("#count", "3").await;
    tab.click(r#"button[aria-label="Remove Apple"]"#).await;
    tab.sees("#count", "1").await;

    tab.click("#logout").await;
    tab.sees("#count", "0").await;
    assert!(!tab.has("#user").await);
    assert_eq!(ticket(&tab).await, None, "the cookie is removed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_visit_from_the_first_apple_to_the_logout() {
    let (_server, url) = shop();
    browse(Scripts::On, |tab| async move {
        tab.open(SCRIPTED).await;
        tab.sees("p", "on").await;
        visit(tab, url).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_same_visit_without_scripts() {
    let (_server, url) = shop();
    browse(Scripts::Off, |tab| async move {
        tab.open(SCRIPTED).await;
        tab.sees("p", "off").await;
        visit(tab, url).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_back_button_shows_no_cart_after_a_logout() {
    let (_server, url) = shop();
    browse(Scripts::On, |tab| async move {
        tab.open(&url).await;
        tab.click(ADD_APPLE).await;
        tab.sees("#count", "1").await;
        log_in(&tab, "alice").await;
        // A different address, so that it is certain which page "back" leads to.
        let before = format!("{url}/?page=before");
        tab.open(&before).await;
        tab.sees("#count", "1").await;
        tab.click("#logout").await;
        tab.sees("#count", "0").await;

        tab.0.back().await.unwrap();
        tab.sees("#count", "0").await;
        assert_eq!(tab.0.current_url().await.unwrap().as_str(), before);
        assert!(!tab.has("#user").await && !tab.has("[data-sku]").await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_host_cookie_is_kept_on_localhost_and_shown_to_no_script() {
    let (_server, url) = shop();
    browse(Scripts::On, |tab| async move {
        tab.open(&url).await;
        tab.click(ADD_APPLE).await;
        tab.sees("#count", "1").await;
        let cookie = tab.0.get_named_cookie("__Host-id").await.unwrap();
        assert_eq!((cookie.secure(), cookie.http_only()), (Some(true), Some(true)));
        assert_eq!(cookie.same_site().map(|site| site.is_lax()), Some(true));
        assert_eq!((cookie.path(), cookie.domain()), (Some("/"), Some("localhost")));
        assert!(cookie.expires().is_none(), "a session cookie");
        assert_eq!(tab.0.execute("return document.cookie", vec![]).await.unwrap(), json!(""));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_policy_lets_our_style_in_and_no_script() {
    let (_server, url) = shop();
    browse(Scripts::On, |tab| async move {
        tab.open(&url).await;
        let columns = "return getComputedStyle(document.querySelector('.shelf')).display";
        assert_eq!(tab.0.execute(columns, vec![]).await.unwrap(), json!("grid"));
        let inject = "const script = document.createElement('script');\
                      script.textContent = 'window.injected = true';\
                      document.body.append(script);\
                      return window.injected === true";
        assert_eq!(tab.0.execute(inject, vec![]).await.unwrap(), json!(false));
    })
    .await;
}
