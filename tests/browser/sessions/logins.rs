//! A double click on a login: the second request carries the ticket that the first one ends.

use std::sync::Arc;

use cloakroom_testing::House;
use cloakroom_testing::chromium::{Scripts, Tab, browse};

use crate::course::Step::{Answer, End, Load, LogIn, Never, Receive, Store};
use crate::course::{Course, Step};
use crate::site::Site;

/// Sends two logins at once and shows both statuses.
const FETCH_TWICE: &str = "
    const log_in = () => fetch('/shop/login/ada', {method: 'POST'}).then(answer => answer.status);
    const logins = [log_in(), log_in()];
    Promise.race(logins).then(() => fetch('/course/received'));
    Promise.all(logins).then(statuses => {
        document.querySelector('#answers').textContent = statuses.join(' ');
    });";

/// Clicks a second time as soon as the server has come to this step with the first click.
fn click_again_once(step: &str) -> String {
    format!(
        "const button = document.querySelector('#login');
         button.click();
         fetch('/course/{step}').then(() => button.click());"
    )
}

/// Runs a script on the page of a visitor who has one apple and has not logged in.
async fn run(tab: &Tab, site: &Site, script: &str) {
    tab.open(&site.url("/shop/")).await;
    tab.click("#apple").await;
    tab.sees("#apples", "1").await;
    tab.sees("#user", "nobody").await;
    tab.0.execute(script, vec![]).await.unwrap();
}

async fn is_logged_in_with_the_apple(tab: &Tab, course: &Arc<Course>) {
    tab.sees("#user", "ada").await;
    tab.sees("#apples", "1").await;
    tab.sees("#cookies", "1").await;
    assert_eq!(course.arrived(), 2);
    tab.click("#logout").await;
    tab.sees("#user", "nobody").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p7_two_logins_at_once_keep_the_cart_whichever_answer_arrives_last() {
    browse(Scripts::On, |tab| async move {
        let house = House::open();
        let site = Site::open(Default::default()).await;
        for last in [0, 1] {
            let order = [(Load(1), LogIn(0)), (Store(0), LogIn(1)), (Receive, Answer(last))];
            let course = Course::new(order);
            site.deploy(course.shop(&house.layer));
            run(&tab, &site, FETCH_TWICE).await;
            tab.sees("#answers", "200 200").await;
            tab.open(&site.url("/shop/")).await;
            is_logged_in_with_the_apple(&tab, &course).await;
        }
    })
    .await;
}

/// The browser cancels the request of the first click.
async fn a_form_is_sent_twice(step: &'static str, order: Vec<(Step, Step)>) {
    browse(Scripts::On, async move |tab| {
        let house = House::open();
        let course = Course::new(order);
        let site = Site::open(course.shop(&house.layer)).await;
        run(&tab, &site, &click_again_once(step)).await;
        is_logged_in_with_the_apple(&tab, &course).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p7_a_login_that_is_sent_again_after_it_was_stored_finds_the_cart() {
    a_form_is_sent_twice("stored", vec![(Never, Answer(0))]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p7_a_login_that_is_sent_again_before_it_was_stored_finds_the_cart() {
    a_form_is_sent_twice("loaded", vec![(Never, LogIn(0)), (End(0), LogIn(1))]).await;
}
