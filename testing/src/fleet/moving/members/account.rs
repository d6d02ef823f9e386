//! The account of all sessions of one user, by the handles that the login example shows.

use std::collections::BTreeSet;

use super::super::ledger::{Check, holds};

/// The sessions that a list of the user's devices must name, those that it may name, and those that it must not.
#[derive(Clone, Debug, Default)]
pub struct Account {
    live: BTreeSet<String>,
    /// An answer to a renewal of the session's id was lost, or a list has named a login without an answer.
    unclear: BTreeSet<String>,
    /// Logins without an answer that no list has named. Each may be in the next list, with any handle.
    unnamed: usize,
    over: BTreeSet<String>,
}

impl Account {
    pub fn note_login(&mut self, handle: &str) {
        self.live.insert(handle.to_owned());
    }

    pub fn note_unanswered_login(&mut self) {
        self.unnamed += 1;
    }

    /// Notes that nobody has the cookie of this session any more, and that it may live.
    pub fn note_unanswered_renewal(&mut self, handle: &str) {
        self.live.remove(handle);
        self.unclear.insert(handle.to_owned());
    }

    pub fn note_end(&mut self, handle: &str) {
        self.live.remove(handle);
        self.unclear.remove(handle);
        self.over.insert(handle.to_owned());
    }

    /// Notes the end of every session and login that had begun, one session spared.
    pub fn note_end_of_others(&mut self, spared: Option<&str>) {
        self.unnamed = 0;
        self.over.append(&mut self.unclear);
        self.over.append(&mut self.live);
        self.live.extend(spared.and_then(|spared| self.over.take(spared)));
    }

    /// Checks a list of the user's devices.
    pub fn check(&mut self, list: &[String]) -> Check {
        let named: BTreeSet<_> = list.iter().cloned().collect();
        holds(named.len() == list.len(), || format!("a device is there twice: {list:?}"))?;
        let missing: Vec<_> = self.live.difference(&named).collect();
        holds(missing.is_empty(), || format!("{missing:?} live and are not in the list {list:?}"))?;
        let back: Vec<_> = self.over.intersection(&named).collect();
        holds(back.is_empty(), || format!("{back:?} came back in the list {list:?}"))?;
        for handle in named.difference(&self.live) {
            if self.unclear.insert(handle.clone()) {
                let unnamed = self.unnamed.checked_sub(1);
                self.unnamed = unnamed.ok_or_else(|| {
                    format!("{handle} is no login of ours, or came back: {list:?}")
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(live: &[&str]) -> Account {
        let mut account = Account::default();
        for handle in live {
            account.note_login(handle);
        }
        account
    }

    fn check(account: &mut Account, list: &[&str]) -> Check {
        let list: Vec<_> = list.iter().map(|&handle| handle.to_owned()).collect();
        account.check(&list)
    }

    #[track_caller]
    fn is_broken(account: &mut Account, list: &[&str], why: &str) {
        let broken = check(account, list).unwrap_err();
        assert!(broken.contains(why), "{broken}");
    }

    #[test]
    fn a_list_has_what_lives_once_and_nothing_else() {
        let mut account = with(&["a", "b"]);
        check(&mut account, &["b", "a"]).unwrap();
        is_broken(&mut account, &["a"], r#"["b"] live and are not in the list"#);
        is_broken(&mut account, &["a", "b", "a"], "twice");
        is_broken(&mut account, &["a", "b", "c"], "c is no login of ours");
    }

    #[test]
    fn an_end_is_for_ever() {
        let mut account = with(&["a", "b"]);
        account.note_end("a");
        check(&mut account, &["b"]).unwrap();
        is_broken(&mut account, &["a", "b"], r#"["a"] came back"#);
        account.note_end_of_others(None);
        is_broken(&mut account, &["b"], r#"["b"] came back"#);
        check(&mut account, &[]).unwrap();
    }

    #[test]
    fn each_login_without_an_answer_may_be_one_device() {
        let mut account = with(&["a"]);
        account.note_unanswered_login();
        account.note_unanswered_login();
        check(&mut account, &["a"]).unwrap();
        check(&mut account, &["a", "x"]).unwrap();
        check(&mut account, &["a", "y"]).unwrap();
        check(&mut account, &["a", "x", "y"]).unwrap();
        is_broken(&mut account, &["a", "x", "y", "z"], "z is no login of ours");
    }

    #[test]
    fn a_renewal_without_an_answer_leaves_the_device_unclear() {
        let mut account = with(&["a", "b"]);
        account.note_unanswered_renewal("b");
        check(&mut account, &["a"]).unwrap();
        check(&mut account, &["a", "b"]).unwrap();
        is_broken(&mut account, &["b"], r#"["a"] live"#);
    }

    #[test]
    fn the_end_of_the_others_is_the_end_of_everything_unclear() {
        let mut account = with(&["a", "b", "c"]);
        account.note_unanswered_renewal("b");
        account.note_unanswered_login();
        account.note_unanswered_login();
        check(&mut account, &["a", "c", "x"]).unwrap();
        account.note_end_of_others(Some("a"));
        check(&mut account, &["a"]).unwrap();
        for ended in ["b", "c", "x"] {
            is_broken(&mut account, &["a", ended], "came back");
        }
        is_broken(&mut account, &["a", "y"], "y is no login of ours");
    }
}
