//! The front page: the login form, or the account with its devices.

use axum::extract::State;
use axum::http::Method;
use axum::response::Html;
use cloakroom::{Session, SessionError};

use crate::account::{self, ROLE};
use crate::accounts::Role;
use crate::answer::Refusal;
use crate::devices::{self, Device};
use crate::page::{self, Ago, Escaped, Token};
use crate::{App, Shared, idle};

pub(crate) async fn show(
    State(app): Shared,
    method: Method,
    session: Session,
) -> Result<Html<String>, Refusal> {
    let token = Token(session.csrf_token()?);
    let content = match session.principal() {
        Some(user) => account(&app, &session, &user, &token).await?,
        None => format!("{}{}", login(None), note(&session, &token)?),
    };
    // Last, so that no message is taken by a request that fails after it.
    let messages = account::take_messages(&method, &session).await?;
    Ok(Html(page(&app, &session, &token, &messages, &content)?))
}

/// Returns the page after a wrong password.
pub(crate) fn wrong_password(
    app: &App,
    session: &Session,
    why: &str,
) -> Result<String, SessionError> {
    let token = Token(session.csrf_token()?);
    let content = format!("{}{}", login(Some(why)), note(session, &token)?);
    page(app, session, &token, &[], &content)
}

fn page(
    app: &App,
    session: &Session,
    token: &Token,
    messages: &[String],
    content: &str,
) -> Result<String, SessionError> {
    let header = header(session, token)?;
    let messages: String = messages
        .iter()
        .map(|message| format!(r#"<li class="message">{}</li>"#, Escaped(message)))
        .collect();
    let idle = match session.is_new() {
        true => String::new(),
        false => format!(
            r#"<iframe class="time-left" src="{}" title="Time left"></iframe>"#,
            idle::FRAME
        ),
    };
    let node = Escaped(&app.node);
    Ok(page::document(
        "Marginalia",
        &format!(
            r#"{header}{idle}<main id="main"><ul class="messages" aria-live="polite">{messages}</ul><div class="panels">{content}</div></main><footer>Served by <span id="node">{node}</span></footer>"#
        ),
    ))
}

fn header(session: &Session, token: &Token) -> Result<String, SessionError> {
    let mut visitor = String::new();
    if let Some(user) = session.principal() {
        if session.get(ROLE)? == Some(Role::Admin) {
            visitor.push_str(r#"<a href="/admin">Administration</a>"#);
        }
        visitor
            .push_str(&format!(r#"<p>Hello, <strong id="user">{}</strong></p>"#, Escaped(&user)));
    }
    if !session.is_new() {
        // Visitors who have not logged in can end their session as well.
        visitor.push_str(&page::button(token, "/logout", &[], "quiet logout", "Log out"));
    }
    Ok(format!(
        r#"<header><p class="brand"><a href="/">Margin<span>alia</span></a></p><div class="visitor">{visitor}</div></header>"#
    ))
}

fn login(why_not: Option<&str>) -> String {
    let why_not = why_not
        .map(|why| format!(r#"<p class="error" id="error" role="alert">{}</p>"#, Escaped(why)));
    format!(
        r#"<section class="panel" aria-labelledby="login"><h1 id="login">Log in</h1>{}<form class="fields" method="post" action="/login"><label>User name<input name="user" required maxlength="64" autocomplete="username"></label><label>Password<input name="password" type="password" required autocomplete="current-password"></label><label class="tick"><input name="remember" type="checkbox">Remember me for a week</label><button>Log in</button></form><p class="hint">Try <code>alice</code> with <code>wonderland</code>, or <code>root</code> with <code>toor-toor</code>.</p></section>"#,
        why_not.unwrap_or_default(),
    )
}

fn note(session: &Session, token: &Token) -> Result<String, SessionError> {
    let text = account::note(session)?.unwrap_or_default();
    let text = Escaped(&text);
    Ok(format!(
        r#"<section class="panel" aria-labelledby="note"><h2 id="note">A note to yourself</h2><form class="fields" method="post" action="/note">{token}<label>It stays with you when you log in, and goes when you log out.<textarea name="text" rows="4" maxlength="500">{text}</textarea></label><button class="quiet save">Keep it</button></form></section>"#
    ))
}

async fn account(
    app: &App,
    session: &Session,
    user: &str,
    token: &Token,
) -> Result<String, SessionError> {
    if session.get(ROLE)? == Some(Role::Banned) {
        return Ok(r#"<section class="panel"><h1 id="banned">This account is banned</h1><p>An administrator has taken its rights away. You can only log out.</p></section>"#.to_owned());
    }
    let devices = match devices::of(app, user, session).await {
        Ok(mut devices) => {
            devices.sort_by_key(|device| !device.current); // this one first
            list(&devices, token)
        }
        Err(SessionError::Unsupported(_)) => {
            r#"<p class="hint">Sessions in cookies cannot be listed.</p>"#.to_owned()
        }
        Err(error) => return Err(error),
    };
    let end_others =
        page::button(token, "/devices/end-others", &[], "quiet others", "Log out everywhere else");
    Ok(format!(
        r#"<section class="panel wide" aria-labelledby="devices"><h1 id="devices">Your devices</h1>{devices}{end_others}</section>{}{}"#,
        note(session, token)?,
        password(token),
    ))
}

fn list(devices: &[Device], token: &Token) -> String {
    let items: String = devices.iter().map(|device| item(device, token)).collect();
    format!(r#"<ul class="devices">{items}</ul>"#)
}

fn item(device: &Device, token: &Token) -> String {
    let Device { handle, agent, since, last_used, current } = device;
    let end = match current {
        true => r#"<span class="badge">This one</span>"#.to_owned(),
        false => page::button(token, "/devices/end", &[("handle", handle)], "quiet end", "Log out"),
    };
    format!(
        r#"<li data-handle="{handle}"><div><strong>{}</strong><p>Logged in {}, last used {}</p></div>{end}</li>"#,
        Escaped(&browser(agent)),
        Ago(*since),
        Ago(*last_used),
    )
}

/// Returns a name for a person of what a browser calls itself; the text as it is if it is no browser that
/// we know.
pub(crate) fn browser(agent: &str) -> String {
    let find = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    // The order matters: each of them also names those below it.
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Headless Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => agent.chars().take(60).collect(),
    }
}

fn password(token: &Token) -> String {
    format!(
        r#"<section class="panel" aria-labelledby="password"><h2 id="password">Change your password</h2><form class="fields" method="post" action="/password">{token}<label>Present password<input name="old" type="password" required autocomplete="current-password"></label><label>New password<input name="new" type="password" required minlength="8" maxlength="128" autocomplete="new-password"></label><button class="quiet change">Change it</button></form><p class="hint">Your other devices are logged out.</p></section>"#
    )
}
