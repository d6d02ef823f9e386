//! A browser with a jar of cookies, in front of a router.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt;

/// A clone is a copy of the jar, as a second tab or a thief has it.
#[derive(Clone)]
pub struct Browser {
    app: Router,
    pub jar: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

impl Browser {
    pub fn new(app: &Router) -> Self {
        Self { app: app.clone(), jar: BTreeMap::new() }
    }

    /// The same browser after the servers were replaced.
    pub fn now_at(&self, app: &Router) -> Self {
        Self { app: app.clone(), jar: self.jar.clone() }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, "").await
    }

    pub async fn post(&mut self, path: &str) -> Page {
        self.send("POST", path, "").await
    }

    pub async fn delete(&mut self, path: &str) -> Page {
        self.send("DELETE", path, "").await
    }

    pub async fn log_in(&mut self, user: &str, password: &str) -> Page {
        self.send("POST", "/login", &format!("user={user}&password={password}")).await
    }

    pub async fn home(&mut self) -> String {
        let page = self.get("/").await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        page.body
    }

    async fn send(&mut self, method: &str, path: &str, form: &str) -> Page {
        let mut request = Request::builder().method(method).uri(path);
        if !self.jar.is_empty() {
            let pairs: Vec<_> = self.jar.iter().map(|(name, v)| format!("{name}={v}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if !form.is_empty() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let page = Page {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        self.keep(&page);
        page
    }

    fn keep(&mut self, page: &Page) {
        for cookie in page.set_cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let attributes = cookie.to_ascii_lowercase();
            if attributes.contains("max-age=0") || attributes.contains("expires=thu, 01 jan 1970") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
