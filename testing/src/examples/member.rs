//! A visitor of the login example, who sends the token of the session with every change.

use http::HeaderValue;
use serde_json::{Value, json};

use super::{Reply, Upload, Visitor};

/// A browser at one of the login example's servers.
#[derive(Clone, Debug)]
pub struct Member {
    pub visitor: Visitor,
}

impl Member {
    pub fn at(url: &str) -> Self {
        Self { visitor: Visitor::to(url) }
    }

    /// Returns a browser that is logged in.
    pub async fn logged_in(url: &str, user: &str, password: &str) -> Self {
        let mut member = Self::at(url);
        let reply = member.log_in(user, password).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        member
    }

    /// Returns the same browser at another server.
    pub fn moved_to(&self, url: &str) -> Self {
        let mut there = Self::at(url);
        there.visitor.cookie.clone_from(&self.visitor.cookie);
        there
    }

    pub async fn log_in(&mut self, user: &str, password: &str) -> Reply {
        self.visitor.post("/api/login", json!({"user": user, "password": password})).await
    }

    pub async fn me(&mut self) -> Value {
        self.visitor.get("/api/me").await.json()
    }

    /// Returns the user, or `null`.
    pub async fn user(&mut self) -> Value {
        self.me().await["user"].clone()
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.visitor.get(path).await
    }

    /// Sends a change, with the token that `/api/me` tells.
    pub async fn change(&mut self, method: &str, path: &str, body: Value) -> Reply {
        self.take_token().await;
        let reply = match body {
            Value::Null => self.visitor.send(method, path, None, "").await,
            body => {
                let body = body.to_string();
                self.visitor.send(method, path, Some("application/json"), body).await
            }
        };
        self.visitor.headers.remove("x-csrf-token");
        reply
    }

    /// Sends the head of a change, with the token that `/api/me` tells. See [`Upload::begin`].
    pub async fn begin_post(&mut self, path: &str, body: &Value) -> Upload {
        self.take_token().await;
        let upload = Upload::begin(&self.visitor.url, &self.visitor, path, body).await;
        self.visitor.headers.remove("x-csrf-token");
        upload
    }

    async fn take_token(&mut self) {
        if let Some(token) = self.me().await["csrf"].as_str() {
            let token = HeaderValue::from_str(token).unwrap();
            self.visitor.headers.insert("x-csrf-token", token);
        }
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Reply {
        self.change("POST", path, body).await
    }

    pub async fn delete(&mut self, path: &str) -> Reply {
        self.change("DELETE", path, Value::Null).await
    }

    /// Returns the handle of the session.
    pub async fn handle(&mut self) -> String {
        self.me().await["handle"].as_str().expect("somebody is logged in").to_owned()
    }

    /// Returns the handles of all sessions of the user.
    pub async fn devices(&mut self) -> Vec<String> {
        let reply = self.get("/api/devices").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let devices = reply.json();
        let handles = devices.as_array().unwrap().iter();
        handles.map(|device| device["handle"].as_str().unwrap().to_owned()).collect()
    }
}
