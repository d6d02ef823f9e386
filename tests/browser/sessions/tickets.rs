//! Two tickets of our name in one browser, after a release has changed the cookie's attributes.
//!
//! The visitor logs in as `older` under the old attributes and as `newer` under the new ones. The
//! second login is a form that another site posts, as identity providers do: `SameSite=Lax` keeps
//! the first ticket out of it, so that it cannot end the first session.

use cloakroom::{CookieOptions, CookieOptionsBuilder, SameSite};
use cloakroom_testing::chromium::{Scripts, Tab, browse};
use cloakroom_testing::{HOUR, House, MINUTE, Visitor};

use crate::shop::shop_with_login;
use crate::site::Site;

/// A visitor of a shop whose second release has other cookie options than the first.
struct Change {
    tab: Tab,
    house: House,
    site: Site,
}

impl Change {
    /// Logs in as `older` and deploys the second release.
    async fn begin(tab: Tab, old: CookieOptionsBuilder, new: CookieOptionsBuilder) -> Self {
        let house = House::open();
        let [old, new] = [old, new].map(|options| options.build().unwrap());
        let first = house.layer.clone().cookie(old);
        let site = Site::open(shop_with_login().layer(first)).await;
        let house = house.with(|layer| layer.cookie(new));
        let change = Self { tab, house, site };
        // Remembered, so that the ticket which expires last is not the one of the newest session.
        change.log_in_at("/shop/remember/older", "older").await;
        change.finds("older", 1).await;
        change.site.deploy(shop_with_login().layer(change.house.layer.clone()));
        change.finds("older", 1).await;
        change
    }

    async fn log_in_from_elsewhere(&self, name: &str) {
        self.log_in_at(&format!("/shop/login/{name}"), name).await;
    }

    async fn log_in_at(&self, path: &str, name: &str) {
        self.house.clock.advance(MINUTE);
        let login = self.site.url(path);
        let form =
            format!(r#"<form method="post" action="{login}"><button>Log in</button></form>"#);
        self.tab.open(&format!("data:text/html,{form}")).await;
        self.tab.click("button").await;
        self.tab.sees("#user", name).await;
    }

    /// Checks whom a visit of the shop finds, and how many cookies the browser sends.
    async fn finds(&self, user: &str, cookies: usize) {
        self.tab.open(&self.site.url("/shop/")).await;
        self.tab.sees("#user", user).await;
        self.tab.sees("#cookies", &cookies.to_string()).await;
    }

    /// Returns visitors elsewhere who hold one of this browser's tickets each.
    async fn holders(&self) -> Vec<Visitor> {
        let cookies = self.tab.0.get_all_cookies().await.unwrap();
        let holder = |cookie: &fantoccini::cookies::Cookie<'_>| {
            let visitor = self.house.visitor();
            visitor.set_cookie(cookie.name(), cookie.value());
            visitor
        };
        cookies.iter().map(holder).collect()
    }

    /// Ends the session of `user` elsewhere, so that this browser keeps its ticket.
    async fn end(&self, user: &str) {
        for holder in self.holders().await {
            if found(&holder).await.as_deref() == Some(user) {
                holder.visit(async |session| session.destroy().await).await.is_ok();
                return;
            }
        }
        panic!("the browser has no ticket of {user}");
    }
}

async fn found(visitor: &Visitor) -> Option<String> {
    let mut found = None;
    let answer = visitor.visit(async |session| {
        found = session.principal();
        Ok(())
    });
    answer.await.is_ok();
    found
}

/// Each session is used while it lives, however the other one ends.
async fn the_live_one_is_used(change: &Change) {
    change.log_in_from_elsewhere("newer").await;
    change.finds("newer", 2).await;
    change.house.clock.advance(HOUR); // the newer one has expired
    change.finds("older", 2).await;

    change.log_in_from_elsewhere("newer").await;
    change.end("newer").await;
    change.finds("older", 2).await;
    change.tab.click("#apple").await;
    change.tab.sees("#apples", "1").await;
}

/// The browser keeps the first release's cookie, because a removal has the attributes of the second.
async fn a_logout_ends_both(change: &Change) {
    change.log_in_from_elsewhere("newer").await;
    change.finds("newer", 2).await;
    let holders = change.holders().await;
    assert_eq!(holders.len(), 2);
    change.tab.click("#logout").await;
    change.tab.sees("#user", "nobody").await;
    for holder in &holders {
        assert_eq!(found(holder).await, None);
    }
    change.finds("nobody", 1).await;
}

/// The dead ticket is sent along from now on.
async fn a_later_login_is_used(change: &Change) {
    change.tab.click("#login").await;
    change.tab.sees("#user", "ada").await;
    change.finds("ada", 2).await;
    change.tab.click("#apple").await;
    change.tab.sees("#apples", "1").await;
    change.finds("ada", 2).await;
}

async fn holds(old: CookieOptionsBuilder, new: CookieOptionsBuilder) {
    browse(Scripts::On, |tab| async move {
        let change = Change::begin(tab, old, new).await;
        the_live_one_is_used(&change).await;
        a_logout_ends_both(&change).await;
        a_later_login_is_used(&change).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p6_a_partitioned_ticket_and_another_are_both_used_and_both_ended() {
    let partitioned = CookieOptions::builder().same_site(SameSite::None).partitioned(true);
    holds(CookieOptions::builder(), partitioned).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p6_tickets_of_two_paths_are_both_used_and_both_ended() {
    let named = || CookieOptions::builder().name("__Secure-id");
    holds(named().path("/shop"), named()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p6_tickets_of_two_domains_are_both_used_and_both_ended() {
    let named = || CookieOptions::builder().name("__Secure-id");
    holds(named(), named().domain("shop.localhost")).await;
}
