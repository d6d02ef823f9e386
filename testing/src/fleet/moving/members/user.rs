//! A user with several browsers, who logs in and ends sessions, and checks the list of devices.

use std::mem;

use http::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::graves::Graves;
use super::super::ledger::{Check, holds};
use super::super::told::{ATTEMPTS, PAUSE};
use super::super::trade::Counts;
use super::account::Account;
use super::browser::{Browser, Login, check_dead, check_unwritable};
use crate::examples::Visitor;
use crate::fleet::logins::Person;

/// The logins that are under way while sessions of their user are ended.
const OVERTAKEN: usize = 3;

#[derive(Debug)]
pub struct User {
    who: Person,
    visitor: Visitor,
    pub browsers: Vec<Browser>,
    account: Account,
    /// Cookies from before a renewal whose answer was lost. The next end of the others ends them.
    unclear: Vec<String>,
    graves: Graves,
    pub counts: Counts,
    notes: u64,
}

impl User {
    pub fn new(who: Person, visitor: Visitor, graves: Graves) -> Self {
        Self {
            who,
            visitor,
            browsers: Vec::new(),
            account: Account::default(),
            unclear: Vec::new(),
            graves,
            counts: Counts::default(),
            notes: 0,
        }
    }

    /// Logs in with new browsers, several at once, until there are so many. Each writes a note.
    pub async fn log_in(&mut self, wanted: usize) -> Check {
        let present = self.browsers.len();
        for _ in 0..ATTEMPTS {
            let missing = wanted.saturating_sub(self.browsers.len());
            if missing == 0 {
                return self.write_notes(present).await;
            }
            let mut logins = self.begin_logins(missing);
            while let Some(login) = logins.join_next().await {
                self.let_in(login.expect("a login")?)?;
            }
            if self.browsers.len() < wanted {
                sleep(PAUSE).await;
            }
        }
        Err(format!("no answer to the logins of {}", self.who.0))
    }

    /// Lets every browser from this one on write a note of its own and read it, all at once.
    pub async fn write_notes(&mut self, first: usize) -> Check {
        let mut writes = JoinSet::new();
        for (place, mut browser) in self.browsers.drain(first..).enumerate() {
            self.notes += 1;
            let text = format!("{} writes note {}", self.who.0, self.notes);
            writes.spawn(async move { browser.write(text).await.map(|()| (place, browser)) });
        }
        let mut written = Vec::new();
        while let Some(browser) = writes.join_next().await {
            written.push(browser.expect("a note")?);
        }
        written.sort_by_key(|(place, _)| *place);
        self.browsers.extend(written.into_iter().map(|(_, browser)| browser));
        Ok(())
    }

    /// Checks that every browser is logged in and has its note, and that its list of devices names all of them. They
    /// look at the same time.
    pub async fn look(&mut self) -> Check {
        let mut looks = JoinSet::new();
        for mut browser in self.browsers.iter().cloned() {
            looks.spawn(async move {
                browser.look().await?;
                browser.devices().await
            });
        }
        while let Some(list) = looks.join_next().await {
            self.account.check(&list.expect("a look")?)?;
        }
        Ok(())
    }

    /// Checks the list that an administrator sees.
    pub async fn is_seen_by(&mut self, admin: &mut Browser) -> Check {
        self.account.check(&admin.devices_of(self.who.0).await?)
    }

    /// Ends the session of the last browser from the first one, by its handle.
    pub async fn end_one(&mut self) -> Check {
        let ended = self.browsers.pop().expect("two browsers");
        let first = self.browsers.first_mut().expect("two browsers");
        let path = format!("/api/devices/{}", ended.handle);
        let answer = first.change("DELETE", &path, &Value::Null).await?;
        match answer.reply.status {
            StatusCode::NO_CONTENT => {}
            // An attempt without an answer has ended it.
            StatusCode::NOT_FOUND if answer.is_repeated => {}
            StatusCode::NOT_FOUND => {
                return Err(format!("{} is not in the list of its user", ended.handle));
            }
            _ => return Err(answer.unexpected()),
        }
        self.account.note_end(&ended.handle);
        self.counts.change(|trade| trade.ended += 1);
        self.bury(ended.cookie()).await
    }

    /// Logs in again with the first browser. Its old cookie is over, and everything else stays.
    pub async fn renew(&mut self) -> Check {
        let first = self.browsers.first_mut().expect("a browser");
        let old = first.cookie();
        if first.log_in_again().await? {
            first.look().await?;
            return self.bury(old).await;
        }
        let lost = self.browsers.remove(0);
        self.account.note_unanswered_renewal(&lost.handle);
        self.unclear.push(old);
        Ok(())
    }

    /// Logs out with the last browser.
    pub async fn log_out(&mut self) -> Check {
        let last = self.browsers.pop().expect("a browser");
        let handle = last.handle.clone();
        let cookie = last.log_out().await?;
        self.account.note_end(&handle);
        self.counts.change(|trade| trade.logouts += 1);
        check_unwritable(&self.visitor, &cookie).await?;
        self.bury(cookie).await
    }

    /// Ends all sessions but that of the first browser, which asks for it, while logins are under way.
    pub async fn end_others(&mut self) -> Check {
        let mut first = self.browsers.remove(0);
        let spared = first.handle.clone();
        let end = async {
            let answer = first.change("POST", "/api/devices/end-others", &Value::Null).await?;
            answer.ended()
        };
        self.ended_by(end, Some(&spared)).await?;
        self.browsers.insert(0, first);
        Ok(())
    }

    /// Lets an administrator end all sessions, while logins are under way.
    pub async fn be_ended(&mut self, admin: &mut Browser) -> Check {
        let path = format!("/api/admin/users/{}/sessions", self.who.0);
        let end = async { admin.change("DELETE", &path, &Value::Null).await?.ended() };
        self.ended_by(end, None).await
    }

    /// Begins logins, sends this end as soon as one of them is acknowledged, and checks that everything is over
    /// that was acknowledged before. The other logins may come before the end or after it.
    async fn ended_by(
        &mut self,
        end: impl Future<Output = Result<Option<u64>, String>>,
        spared: Option<&str>,
    ) -> Check {
        let mut logins = self.begin_logins(1 + OVERTAKEN);
        if let Some(login) = logins.join_next().await {
            self.let_in(login.expect("a login")?)?;
        }
        let over = mem::take(&mut self.browsers);
        let (least, ended) = (over.len() as u64, end.await?);
        holds(ended.is_none_or(|ended| ended >= least), || {
            format!("an end has found {ended:?} sessions: not all {least} are in the list")
        })?;
        self.account.note_end_of_others(spared);
        self.counts.change(|trade| trade.ended += least);
        let over = over.iter().map(Browser::cookie).chain(mem::take(&mut self.unclear));
        for cookie in over.collect::<Vec<_>>() {
            self.bury(cookie).await?;
        }
        while let Some(login) = logins.join_next().await {
            self.sort_out(login.expect("a login")?).await?;
        }
        Ok(())
    }

    /// Notes a login that no end has overtaken.
    fn let_in(&mut self, login: Login) -> Check {
        match login {
            Login::Done(browser) => {
                self.account.note_login(&browser.handle);
                self.browsers.push(*browser);
            }
            Login::Refused => return Err(format!("a login of {} is refused", self.who.0)),
            Login::Unanswered => self.account.note_unanswered_login(),
        }
        Ok(())
    }

    /// Notes a login that was under way during an end. From now on it lives, or is over.
    async fn sort_out(&mut self, login: Login) -> Check {
        match login {
            Login::Done(browser) => {
                if !browser.is_over().await? {
                    return self.let_in(Login::Done(browser));
                }
                self.account.note_end(&browser.handle);
                self.bury(browser.cookie()).await
            }
            Login::Refused => Ok(()),
            Login::Unanswered => self.let_in(login),
        }
    }

    fn begin_logins(&self, count: usize) -> JoinSet<Result<Login, String>> {
        let mut logins = JoinSet::new();
        for _ in 0..count {
            logins.spawn(Browser::log_in(self.visitor.clone(), self.who, self.counts.clone()));
        }
        logins
    }

    /// Checks that a session is over, and keeps its cookie to try it again.
    async fn bury(&self, cookie: String) -> Check {
        check_dead(&self.visitor, &cookie).await?;
        self.graves.add(Some(cookie));
        Ok(())
    }
}
