//! The page, in HTML without scripts.

use std::fmt::{self, Display, Write};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Html;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloakroom::Session;
use sha2::{Digest, Sha256};

use crate::Shop;
use crate::answer::Refusal;
use crate::cart::{self, Items};
use crate::catalogue::{self, PRODUCTS, Product};

const STYLE: &str = include_str!("style.css");

const LOGIN: &str = r#"<form method="post" action="/login"><label for="name">Your name</label><input id="name" name="user" required maxlength="64" autocomplete="username"><button id="login">Log in</button></form>"#;

/// Shown to visitors who have not logged in too, so that they can end their session as well.
const LOGOUT: &str = r#"<form method="post" action="/logout"><button class="quiet" id="logout">Log out</button></form>"#;

/// Forbids scripts, requests, and every style but ours, which is named by its hash.
pub(crate) static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
});

pub(crate) async fn show(
    State(shop): State<Arc<Shop>>,
    session: Session,
) -> Result<Html<String>, Refusal> {
    let items = cart::items(&session)?;
    let header = header(&session, cart::count(&items));
    let shelf: String = PRODUCTS.iter().map(card).collect();
    let cart = basket(&items);
    let facts = facts(&shop, &session);
    Ok(Html(document(
        "Windfall Orchard",
        &format!(
            r#"{header}<main id="main">
<section aria-labelledby="shelf"><h1 id="shelf">Picked this morning</h1><ul class="shelf">{shelf}</ul></section>
<aside>{cart}{facts}</aside>
</main>"#
        ),
    )))
}

/// Returns the page that explains an error.
pub(crate) fn refusal(status: StatusCode, explanation: &str) -> String {
    let explanation = Escaped(explanation);
    let title = status.canonical_reason().unwrap_or("Error");
    let body = format!(
        r#"<main id="main" class="refusal"><p class="status">{code}</p><h1>{title}</h1><p class="reason">{explanation}</p><p><a class="button" href="/">Back to the shop</a></p></main>"#,
        code = status.as_u16(),
    );
    document(title, &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle cx='16' cy='18' r='12' fill='%23c23b2e'/%3E%3Cpath d='M16 9c1-5 5-7 9-6-1 5-5 7-9 6z' fill='%235b8a45'/%3E%3C/svg%3E">
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the shop</a>
{body}
</body>
</html>
"##
    )
}

fn header(session: &Session, count: u64) -> String {
    let mut account = match session.principal() {
        Some(user) => format!(r#"<p>Hello, <strong id="user">{}</strong></p>"#, Escaped(&user)),
        None => LOGIN.to_owned(),
    };
    if !session.is_new() {
        account.push_str(LOGOUT);
    }
    format!(
        r##"<header><p class="brand"><a href="/">Windfall <span>Orchard</span></a></p><div class="account"><a class="to-cart" href="#cart">Cart ({count})</a>{account}</div></header>"##
    )
}

fn card(product: &Product) -> String {
    let Product { sku, name, about, tint, picture, .. } = product;
    format!(
        r#"<li class="card"><svg viewBox="0 0 120 120" aria-hidden="true"><rect x="-600" width="1320" height="120" fill="{tint}"/><g transform="translate(18 18) scale(.7)">{picture}</g></svg><div class="label"><h2>{name}</h2><p>{about}</p></div><div class="buy"><span class="price">{price}</span>{button}</div></li>"#,
        price = Price(product.cents),
        button = add_button(sku, 1, "", "Add", &format!("Add {name} to the cart")),
    )
}

fn basket(items: &Items) -> String {
    let count = cart::count(items);
    let mut page = format!(
        r#"<section class="panel" aria-labelledby="cart"><h2 id="cart">Your cart <span class="count" id="count">{count}</span></h2>"#
    );
    if items.is_empty() {
        page.push_str(r#"<p class="empty">Nothing in it yet.</p></section>"#);
        return page;
    }
    page.push_str(r#"<ul class="lines">"#);
    page.extend(items.iter().map(|(sku, &quantity)| line(sku, quantity)));
    let total = items.iter().filter_map(|(sku, &quantity)| price(sku, quantity));
    let total = Price(total.fold(0, u64::saturating_add));
    let _ = write!(
        page,
        r#"</ul><p class="total"><span>Total</span> <strong>{total}</strong></p></section>"#
    );
    page
}

fn line(sku: &str, quantity: u32) -> String {
    let name = Escaped(catalogue::find(sku).map_or(sku, |product| product.name));
    let price = price(sku, quantity).map_or_else(String::new, |cents| Price(cents).to_string());
    let less = add_button(sku, -1, "step", "\u{2212}", &format!("One {name} less"));
    let more = add_button(sku, 1, "step", "+", &format!("One {name} more"));
    let sku = Escaped(sku);
    format!(
        r#"<li data-sku="{sku}"><span class="name">{name}</span><span class="price">{price}</span><span class="stepper">{less}<output>{quantity}</output>{more}</span><form method="post" action="/cart/remove"><input type="hidden" name="sku" value="{sku}"><button class="quiet" aria-label="Remove {name}">Remove</button></form></li>"#
    )
}

fn add_button(sku: &str, quantity: i64, class: &str, text: &str, label: &str) -> String {
    let sku = Escaped(sku);
    format!(
        r#"<form method="post" action="/cart/add"><input type="hidden" name="sku" value="{sku}"><input type="hidden" name="qty" value="{quantity}"><button class="{class}" aria-label="{label}">{text}</button></form>"#
    )
}

/// Returns the panel that says which server answered, where the session is kept, and when it ends.
fn facts(shop: &Shop, session: &Session) -> String {
    let (node, store) = (Escaped(&shop.node), Escaped(&shop.store));
    let times = match (session.created_at(), session.expires_at()) {
        (Some(created), Some(expires)) => format!(
            r#"<dt>Session began</dt><dd id="created">{}</dd><dt>Ends, if unused</dt><dd id="expires">{}</dd>"#,
            TimeOfDay(created),
            TimeOfDay(expires)
        ),
        _ => r#"<dt>Session</dt><dd id="none">none until you take something</dd>"#.to_owned(),
    };
    format!(
        r#"<section class="panel facts" aria-labelledby="facts"><h2 id="facts">Behind the counter</h2><dl><dt>Served by</dt><dd id="node">{node}</dd><dt>Kept in</dt><dd id="store">{store}</dd>{times}</dl></section>"#
    )
}

/// Returns the price; `None` for an item that is not in the catalogue, since the API takes any name.
fn price(sku: &str, quantity: u32) -> Option<u64> {
    Some(catalogue::find(sku)?.cents.saturating_mul(quantity.into()))
}

/// Text in which the characters are escaped that mean something in an element or a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

struct Price(u64);

impl Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{20ac}\u{a0}{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

struct TimeOfDay(SystemTime);

impl Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02} UTC")
    }
}
