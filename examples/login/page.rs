//! The frame of every page, and what all pages have in common. No page has a script.

use std::fmt::{self, Display, Write};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderValue, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloakroom::CsrfToken;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// Returns the policy that forbids scripts, requests, and every style but ours, which is named by its
/// hash. Only the page of the idle time may stand in a frame, and only in one of ours.
pub(crate) fn content_security_policy(is_frame: bool) -> &'static HeaderValue {
    static POLICIES: LazyLock<[HeaderValue; 2]> =
        LazyLock::new(|| ["'none'", "'self'"].map(policy));
    &POLICIES[usize::from(is_frame)]
}

fn policy(ancestors: &str) -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
         frame-src 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    );
    HeaderValue::try_from(policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

pub(crate) fn document(title: &str, body: &str) -> String {
    let icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect x='5' y='3' width='22' height='26' rx='3' fill='%233a4a8c'/%3E%3Cpath d='M11 11h10M11 16h10M11 21h6' stroke='%23fff' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E";
    let head = format!(r#"<title>{title}</title><link rel="icon" href="{icon}">"#);
    html(&head, &format!(r##"<a class="skip" href="#main">Skip to the content</a>{body}"##))
}

/// Returns a page that stands in a frame, and loads itself again after some seconds.
pub(crate) fn frame(refresh: Option<u64>, body: &str) -> String {
    let refresh =
        refresh.map(|seconds| format!(r#"<meta http-equiv="refresh" content="{seconds}">"#));
    html(
        &format!("<title>Time left</title>{}", refresh.unwrap_or_default()),
        &format!(r#"<div class="idle" role="status">{body}</div>"#),
    )
}

fn html(head: &str, body: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{head}
<style>{STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"#
    )
}

/// Returns the page that explains an error.
pub(crate) fn refusal(status: StatusCode, explanation: &str) -> String {
    let explanation = Escaped(explanation);
    let title = status.canonical_reason().unwrap_or("Error");
    let code = status.as_u16();
    let body = format!(
        r#"<main id="main" class="refusal"><p class="status">{code}</p><h1>{title}</h1><p class="reason">{explanation}</p><p><a class="button" href="/">Back to the front page</a></p></main>"#,
    );
    document(title, &body)
}

/// Returns a form with one button, some hidden fields, and the session's token.
pub(crate) fn button(
    token: &Token,
    action: &str,
    fields: &[(&str, &str)],
    class: &str,
    label: &str,
) -> String {
    let mut form = format!(r#"<form method="post" action="{action}">{token}"#);
    for (name, value) in fields {
        let value = Escaped(value);
        let _ = write!(form, r#"<input type="hidden" name="{name}" value="{value}">"#);
    }
    let _ = write!(form, r#"<button class="{class}">{label}</button></form>"#);
    form
}

/// The hidden field of every form. A visitor without a session has no token, and needs none.
pub(crate) struct Token(pub(crate) Option<CsrfToken>);

impl Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(token) => write!(f, r#"<input type="hidden" name="csrf" value="{token}">"#),
            None => Ok(()),
        }
    }
}

/// Text in which the characters are escaped that mean something in an element or a quoted attribute.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

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

/// How long ago a time was, given in seconds since 1970.
pub(crate) struct Ago(pub(crate) Option<u64>);

impl Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = self.0 else { return f.write_str("unknown") };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (count, unit) = match now.saturating_sub(time) {
            ..60 => return f.write_str("just now"),
            seconds @ ..3_600 => (seconds / 60, "minute"),
            seconds @ ..86_400 => (seconds / 3_600, "hour"),
            seconds => (seconds / 86_400, "day"),
        };
        write!(f, "{count} {unit}{} ago", if count == 1 { "" } else { "s" })
    }
}
