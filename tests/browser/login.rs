//! The login example in real browsers, two at once. None of its pages has a script, so the browsers run
//! without.
//!
//! ```text
//! cargo test -p browser-tests --test login -- --include-ignored
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cloakroom_testing::chromium::{Scripts, Tab, browse};
use cloakroom_testing::examples::Server;

const SUBMIT_LOGIN: &str = r#"form[action="/login"] button"#;
const SAVE_NOTE: &str = r#"form[action="/note"] button"#;
const LOG_OUT: &str = r#"form[action="/logout"] button"#;
const END_OTHERS: &str = r#"form[action="/devices/end-others"] button"#;
const END_ONE: &str = r#"form[action="/devices/end"] button"#;
const CHANGE_PASSWORD: &str = r#"form[action="/password"] button"#;

/// Returns the example's URL with the host name for which browsers accept `Secure` cookies over plain
/// HTTP.
fn start(variables: &[(&str, &str)]) -> (Server, String) {
    let server = Server::start("login", variables);
    let url = server.url.replace("127.0.0.1", "localhost");
    (server, url)
}

async fn log_in(tab: &Tab, url: &str, user: &str, password: &str) {
    tab.open(url).await;
    tab.write(r#"[name="user"]"#, user).await;
    tab.write(r#"[name="password"]"#, password).await;
    tab.click(SUBMIT_LOGIN).await;
}

async fn log_in_as_alice(tab: &Tab, url: &str) {
    log_in(tab, url, "alice", "wonderland").await;
    tab.sees("#user", "alice").await;
}

async fn ticket(tab: &Tab) -> Option<String> {
    let cookies = tab.0.get_all_cookies().await.unwrap();
    assert!(cookies.len() <= 1, "one cookie at most: {cookies:?}");
    cookies.first().map(|cookie| cookie.value().to_owned())
}

/// Opens two browsers at once.
async fn browse_both<F>(visit: impl FnOnce(Tab, Tab) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    browse(Scripts::Off, |one| async move {
        browse(Scripts::Off, |other| visit(one, other)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_visit_from_a_note_to_the_logout() {
    let (_server, url) = start(&[("NODE", "west")]);
    browse(Scripts::Off, |tab| async move {
        tab.open(&url).await;
        tab.sees("#node", "west").await;
        assert_eq!(ticket(&tab).await, None, "looking around costs no cookie");
        tab.write("textarea", "milk").await;
        tab.click(SAVE_NOTE).await;
        tab.sees("textarea", "milk").await;
        let anonymous = ticket(&tab).await.unwrap();

        log_in(&tab, &url, "alice", "wrong").await;
        tab.sees("#error", "the user name or the password is wrong").await;
        assert_eq!(ticket(&tab).await.unwrap(), anonymous);
        log_in_as_alice(&tab, &url).await;
        tab.sees(".message", "Welcome, alice.").await;
        tab.sees("textarea", "milk").await;
        assert_ne!(ticket(&tab).await.unwrap(), anonymous, "a login changes the id");
        tab.0.refresh().await.unwrap();
        tab.sees("textarea", "milk").await;
        assert!(!tab.has(".message").await, "messages are shown once");

        tab.click(LOG_OUT).await;
        tab.sees("#login", "Log in").await;
        assert_eq!(ticket(&tab).await, None, "the cookie is removed");
        tab.0.back().await.unwrap();
        tab.sees("#login", "Log in").await;
        assert!(!tab.has("#user").await, "the page before is not shown again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_device_is_logged_out_from_another_one() {
    let (_server, url) = start(&[]);
    browse_both(|laptop, phone| async move {
        log_in_as_alice(&laptop, &url).await;
        log_in_as_alice(&phone, &url).await;
        laptop.0.refresh().await.unwrap();
        laptop.sees(".devices li:first-child .badge", "This one").await;
        laptop.click(END_ONE).await;
        laptop.sees(".message", "That device was logged out.").await;
        assert!(!laptop.has(END_ONE).await, "only this one is left");
        phone.0.refresh().await.unwrap();
        phone.sees("#login", "Log in").await;

        log_in_as_alice(&phone, &url).await;
        phone.click(END_OTHERS).await;
        phone.sees(".message", "One other device was logged out.").await;
        laptop.0.refresh().await.unwrap();
        laptop.sees("#login", "Log in").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_new_password_logs_the_other_browser_out() {
    let (_server, url) = start(&[]);
    browse_both(|mine, thiefs| async move {
        log_in_as_alice(&mine, &url).await;
        log_in_as_alice(&thiefs, &url).await;
        let before = ticket(&mine).await.unwrap();
        mine.write(r#"[name="old"]"#, "wonderland").await;
        mine.write(r#"[name="new"]"#, "looking-glass").await;
        mine.click(CHANGE_PASSWORD).await;
        let said = "Your password was changed. One other device was logged out.";
        mine.sees(".message", said).await;
        assert_ne!(ticket(&mine).await.unwrap(), before);
        thiefs.0.refresh().await.unwrap();
        thiefs.sees("#login", "Log in").await;
        log_in(&thiefs, &url, "alice", "wonderland").await;
        thiefs.sees("#error", "the user name or the password is wrong").await;
    })
    .await;
}

/// A form that was loaded before a login in another tab belongs to the session of that time.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_form_from_before_the_login_is_refused() {
    let (_server, url) = start(&[]);
    browse(Scripts::Off, |tab| async move {
        tab.open(&url).await;
        tab.write("textarea", "milk").await;
        tab.click(SAVE_NOTE).await;
        tab.sees("textarea", "milk").await;
        let old_tab = tab.0.window().await.unwrap();
        let new_tab = tab.0.new_window(true).await.unwrap();
        tab.0.switch_to_window(new_tab.handle).await.unwrap();
        log_in_as_alice(&tab, &url).await;
        tab.0.switch_to_window(old_tab).await.unwrap();
        tab.write("textarea", " and eggs").await;
        tab.click(SAVE_NOTE).await;
        tab.sees(".status", "403").await;
        tab.open(&url).await;
        tab.sees("textarea", "milk").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_administrator_bans_a_user_who_is_logged_in() {
    let (_server, url) = start(&[]);
    browse_both(|administrator, alices| async move {
        log_in_as_alice(&alices, &url).await;
        log_in(&administrator, &url, "root", "toor-toor").await;
        administrator.sees("#user", "root").await;
        administrator.click(r#"a[href="/admin"]"#).await;
        administrator.sees(r#"[data-user="alice"] .count"#, "1").await;
        administrator.click(r#"[data-user="alice"] .ban"#).await;
        administrator.sees(".message", "alice is banned on 1 devices.").await;
        alices.0.refresh().await.unwrap();
        alices.sees("#banned", "This account is banned").await;
        administrator.click(r#"[data-user="alice"] .end-all"#).await;
        administrator.sees(".message", "alice was logged out of 1 devices.").await;
        alices.0.refresh().await.unwrap();
        alices.sees("#login", "Log in").await;
    })
    .await;
}

/// The banner loads itself again, and the session ends although its page is open.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_banner_warns_and_keeps_no_session_alive() {
    let (_server, url) = start(&[("IDLE", "4")]);
    browse(Scripts::Off, |tab| async move {
        log_in_as_alice(&tab, &url).await;
        let entered = async {
            while tab.0.clone().enter_frame(0).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), entered).await.expect("a frame");
        // The frame loads itself each second, and has no banner meanwhile.
        let warned = async {
            while tab.0.find(fantoccini::Locator::Css(".warning")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), warned).await.expect("a warning");
        let banner = async || {
            let banner = tab.0.find(fantoccini::Locator::Id("idle")).await;
            banner.ok()?.text().await.ok()
        };
        let ended = async {
            while banner().await.as_deref() != Some("Your session has ended. Log in again") {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the session ends");
        tab.click("#idle a").await;
        tab.0.clone().enter_parent_frame().await.unwrap();
        tab.sees("#login", "Log in").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_remembered_login_has_a_cookie_that_lasts() {
    let (_server, url) = start(&[]);
    browse(Scripts::Off, |tab| async move {
        tab.open(&url).await;
        tab.click(r#"[name="remember"]"#).await;
        tab.write(r#"[name="user"]"#, "alice").await;
        tab.write(r#"[name="password"]"#, "wonderland").await;
        tab.click(SUBMIT_LOGIN).await;
        tab.sees("#user", "alice").await;
        let cookie = tab.0.get_named_cookie("__Host-id").await.unwrap();
        assert!(cookie.expires().is_some() && cookie.http_only() == Some(true));
    })
    .await;
}
