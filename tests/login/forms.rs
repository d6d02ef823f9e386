//! The pages, as a browser without scripts uses them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloakroom_testing::examples::{Member, Reply, Visitor};
use http::header::{CONTENT_SECURITY_POLICY, LOCATION, USER_AGENT};
use sha2::{Digest, Sha256};

use crate::{is_status, login};

/// Fills in a form of the page and sends it.
async fn submit(visitor: &mut Visitor, page: &str, action: &str, fields: &str) -> Reply {
    let page = visitor.get(page).await.body;
    let form = page.split(&format!(r#"action="{action}""#)).nth(1).expect("the form");
    let form = form.split("</form>").next().unwrap();
    let mut body = fields.to_owned();
    for input in form.split(r#"<input type="hidden" name=""#).skip(1) {
        let (name, rest) = input.split_once(r#"" value=""#).unwrap();
        let (value, _) = rest.split_once('"').unwrap();
        if !body.contains(&format!("{name}=")) {
            body.push_str(&format!("&{name}={value}"));
        }
    }
    let kind = Some("application/x-www-form-urlencoded");
    visitor.send("POST", action, kind, body).await
}

async fn done(visitor: &mut Visitor, action: &str, fields: &str) {
    let reply = submit(visitor, "/", action, fields).await;
    assert_eq!((reply.status.as_u16(), reply.header(LOCATION)), (303, Some("/")), "{action}");
}

#[tokio::test]
async fn a_visit_from_the_login_to_the_logout() {
    let server = login(&[("NODE", "<west>")]);
    let mut visitor = Member::at(&server.url).visitor;
    visitor.headers.insert(USER_AGENT, "<i>Opera/9</i>".parse().unwrap());
    done(&mut visitor, "/note", "text=%3Cb%3Emilk%3C%2Fb%3E").await;
    let page = visitor.get("/").await.body;
    assert!(page.contains("&lt;b&gt;milk&lt;/b&gt;</textarea>") && page.contains("&lt;west&gt;"));
    done(&mut visitor, "/note", "text=+%0D%0A").await;
    assert!(visitor.get("/").await.body.contains("></textarea>"), "a blank note is none");
    done(&mut visitor, "/note", "text=+%3Cb%3Emilk%3C%2Fb%3E+").await;
    assert!(visitor.get("/").await.body.contains(">&lt;b&gt;milk&lt;/b&gt;</textarea>"));
    let wrong = submit(&mut visitor, "/", "/login", "user=alice&password=wrong").await;
    is_status(&wrong, 401);
    assert!(wrong.body.contains(r#"id="error""#) && wrong.body.contains(r#"action="/login""#));

    done(&mut visitor, "/login", "user=alice&password=wonderland").await;
    let page = visitor.get("/").await.body;
    assert!(page.contains(r#"id="user">alice<"#) && page.contains("Welcome, alice."), "{page}");
    assert!(page.contains("&lt;i&gt;Opera") && page.contains("This one"), "{page}");
    assert!(page.contains("&lt;b&gt;milk&lt;/b&gt;</textarea>") && !page.contains("/admin"));
    assert!(!visitor.get("/").await.body.contains("Welcome"), "messages are shown once");

    let mut phone = Member::logged_in(&server.url, "alice", "wonderland").await;
    let handle = phone.handle().await;
    done(&mut visitor, "/devices/end", &format!("handle={handle}")).await;
    assert!(visitor.get("/").await.body.contains("That device was logged out."));
    assert_eq!(phone.user().await, serde_json::json!(null));
    Member::logged_in(&server.url, "alice", "wonderland").await;
    done(&mut visitor, "/devices/end-others", "").await;
    assert!(visitor.get("/").await.body.contains("One other device was logged out."));
    done(&mut visitor, "/password", "old=wonderland&new=looking-glass").await;
    assert!(visitor.get("/").await.body.contains("Your password was changed."));
    done(&mut visitor, "/logout", "").await;
    assert_eq!(visitor.cookie, None);
    assert!(visitor.get("/").await.body.contains(r#"action="/login""#));
}

#[tokio::test]
async fn the_administrators_page() {
    let server = login(&[]);
    let mut alice = Member::logged_in(&server.url, "alice", "wonderland").await;
    let mut root = Member::logged_in(&server.url, "root", "toor-toor").await.visitor;
    assert!(root.get("/").await.body.contains(r#"href="/admin""#));
    let page = root.get("/admin").await.body;
    assert!(page.contains(r#"data-user="alice""#) && page.contains(r#"data-user="mallory""#));
    let reply = submit(&mut root, "/admin", "/admin/ban", "user=alice").await;
    assert_eq!((reply.status.as_u16(), reply.header(LOCATION)), (303, Some("/admin")));
    assert!(root.get("/admin").await.body.contains("alice is banned on 1 devices."));
    assert_eq!(alice.me().await["role"], "banned");
    submit(&mut root, "/admin", "/admin/end-all", "user=alice").await;
    assert!(root.get("/admin").await.body.contains("alice was logged out of 1 devices."));
    assert_eq!(alice.user().await, serde_json::json!(null));
    let reply = submit(&mut root, "/admin", "/admin/end-all", "user=root").await;
    assert_eq!(reply.header(LOCATION), Some("/"));
    is_status(&root.get("/admin").await, 403);
}

#[tokio::test]
async fn the_policy_names_our_style() {
    let server = login(&[]);
    let mut visitor = Visitor::to(&server.url);
    for path in ["/", "/idle", "/nowhere"] {
        let page = visitor.get(path).await;
        let (_, style) = page.body.split_once("<style>").unwrap();
        let (style, _) = style.split_once("</style>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(page.header(CONTENT_SECURITY_POLICY).unwrap().contains(&hash), "{path}");
    }
}
