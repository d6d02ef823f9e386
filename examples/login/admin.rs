//! The administrator's page: everybody's sessions, which can be ended or deprived of their rights.

use axum::extract::State;
use axum::http::Method;
use axum::response::{Html, Redirect};
use serde::Deserialize;

use crate::Shared;
use crate::account::{self, UserName};
use crate::accounts::Role;
use crate::answer::Refusal;
use crate::devices::{self, Device};
use crate::guard::{Admin, Submitted};
use crate::home::browser;
use crate::page::{self, Ago, Escaped, Token};

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    user: UserName,
}

pub(crate) async fn show(
    State(app): Shared,
    method: Method,
    Admin(admin): Admin,
) -> Result<Html<String>, Refusal> {
    let token = Token(admin.session.csrf_token()?);
    let mut rows = String::new();
    for (user, role) in app.accounts.all() {
        let devices = devices::of(&app, &user, &admin.session).await?;
        rows.push_str(&row(&user, role, &devices, &token));
    }
    let messages = account::take_messages(&method, &admin.session).await?;
    let messages: String = messages
        .iter()
        .map(|text| format!(r#"<li class="message">{}</li>"#, Escaped(text)))
        .collect();
    Ok(Html(page::document(
        "Administration",
        &format!(
            r#"<header><p class="brand"><a href="/">Margin<span>alia</span></a></p><div class="visitor"><a href="/">Back</a></div></header><main id="main"><ul class="messages" aria-live="polite">{messages}</ul><h1>Everybody's sessions</h1><div class="panels">{rows}</div></main>"#
        ),
    )))
}

fn row(user: &str, role: Role, devices: &[Device], token: &Token) -> String {
    let name = Escaped(user);
    let badge =
        if role == Role::Admin { r#" <span class="badge">administrator</span>"# } else { "" };
    let list: String = devices
        .iter()
        .map(|Device { agent, last_used, .. }| {
            format!(
                r#"<li><div><strong>{}</strong><p>Last used {}</p></div></li>"#,
                Escaped(&browser(agent)),
                Ago(*last_used)
            )
        })
        .collect();
    let fields = [("user", user)];
    let buttons = [
        page::button(token, "/admin/end-all", &fields, "quiet end-all", "Log out everywhere"),
        page::button(token, "/admin/ban", &fields, "quiet ban", "Ban"),
    ]
    .concat();
    format!(
        r#"<section class="panel" data-user="{name}"><h2>{name}{badge} <span class="count">{}</span></h2><ul class="devices">{list}</ul><div class="buttons">{buttons}</div></section>"#,
        devices.len(),
    )
}

pub(crate) async fn end_all(
    State(app): Shared,
    Submitted(Admin(admin), Target { user: UserName(user) }): Submitted<Admin, Target>,
) -> Result<Redirect, Refusal> {
    let ended = app.users.end_all(&user).await?;
    // The administrator's own session is over too, and cannot keep a message.
    if user == admin.name {
        return Ok(Redirect::to("/"));
    }
    admin.session.flash(&match ended {
        Some(ended) => format!("{user} was logged out of {ended} devices."),
        None => format!("{user} was logged out everywhere."),
    })?;
    Ok(Redirect::to("/admin"))
}

pub(crate) async fn ban(
    State(app): Shared,
    Submitted(Admin(admin), Target { user: UserName(user) }): Submitted<Admin, Target>,
) -> Result<Redirect, Refusal> {
    let edited = devices::ban(&app, &user).await?;
    admin.session.flash(&format!("{user} is banned on {edited} devices."))?;
    Ok(Redirect::to("/admin"))
}
