//! A store that fails on demand: it delays, loses or refuses a command, or lets another one go
//! first.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind, StoreKey,
    Touched, Version,
};
use tokio::sync::Notify;

use crate::Command;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Act = Box<dyn FnOnce() -> Boxed<()> + Send>;

/// A fault that one command meets.
pub enum Fault {
    /// The command is carried out.
    Pass,
    /// The command is carried out after this time.
    Delay(Duration),
    /// The command fails and is not applied.
    Fail(StoreErrorKind),
    /// The command never answers and is not applied.
    Hang,
    /// The command is applied, and its answer is lost.
    LoseReply,
    /// The command is not applied, and the caller cannot know that.
    LoseRequest,
    /// The answer is lost now, and the command is applied when [`Faulty::deliver`] is called.
    Late,
    /// Something else happens first, such as another request.
    After(Act),
}

impl Fault {
    pub fn after<F>(act: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::After(Box::new(|| Box::pin(act())))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fault")
    }
}

/// Makes a fault for every command of a kind.
type Rule = Arc<dyn Fn() -> Fault + Send + Sync>;

#[derive(Default)]
struct Script {
    once: VecDeque<(Command, Fault)>,
    always: Vec<(Command, Rule)>,
    late: Vec<Boxed<()>>,
    step: Option<(usize, Fault)>,
    /// Commands until the server dies.
    life: Option<usize>,
}

/// Wraps any store and applies scripted faults. Clones share the script.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn SessionStore>,
    script: Arc<Mutex<Script>>,
    died: Arc<Notify>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    pub fn new(inner: impl SessionStore) -> Self {
        Self { inner: Arc::new(inner), script: Arc::default(), died: Arc::default() }
    }

    /// Applies `fault` to the next command of this kind. Several faults are applied in turn.
    pub fn next(&self, command: Command, fault: Fault) {
        self.script.lock().unwrap().once.push_back((command, fault));
    }

    /// Applies `rule` to every command of this kind, once the faults from [`Faulty::next`] are used
    /// up.
    pub fn always(&self, command: Command, rule: impl Fn() -> Fault + Send + Sync + 'static) {
        self.script.lock().unwrap().always.push((command, Arc::new(rule)));
    }

    /// Applies `fault` to the command after the next `step` ones, of whatever kind it is.
    pub fn at_step(&self, step: usize, fault: Fault) {
        self.script.lock().unwrap().step = Some((step, fault));
    }

    /// Lets the next `steps` commands pass, and answers none after them.
    pub fn die_after(&self, steps: usize) {
        self.script.lock().unwrap().life = Some(steps);
    }

    /// Waits until a command is not answered any more.
    pub async fn death(&self) {
        self.died.notified().await;
    }

    /// Removes all faults.
    pub fn mend(&self) {
        let mut script = self.script.lock().unwrap();
        (script.step, script.life) = (None, None);
        script.once.clear();
        script.always.clear();
    }

    /// Returns whether every fault from [`Faulty::next`] has happened.
    pub fn is_spent(&self) -> bool {
        let script = self.script.lock().unwrap();
        script.once.is_empty() && script.step.is_none()
    }

    /// Carries out the commands that met [`Fault::Late`].
    pub async fn deliver(&self) {
        let late = std::mem::take(&mut self.script.lock().unwrap().late);
        assert!(!late.is_empty(), "no command was late");
        for command in late {
            command.await;
        }
    }

    fn fault(&self, command: Command) -> Fault {
        let rule = {
            let mut script = self.script.lock().unwrap();
            match script.life {
                Some(0) => {
                    self.died.notify_one();
                    return Fault::Hang;
                }
                life => script.life = life.map(|left| left - 1),
            }
            match script.step.take() {
                Some((0, fault)) => return fault,
                step => script.step = step.map(|(left, fault)| (left - 1, fault)),
            }
            if let Some(at) = script.once.iter().position(|(kind, _)| *kind == command) {
                return script.once.remove(at).expect("just found").1;
            }
            script.always.iter().find(|(kind, _)| *kind == command).map(|(_, rule)| rule.clone())
        };
        rule.map_or(Fault::Pass, |rule| rule())
    }

    async fn suffer<T: Send + 'static>(
        &self,
        command: Command,
        operation: Boxed<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.fault(command) {
            Fault::Pass => operation.await,
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                operation.await
            }
            Fault::Fail(kind) => Err(StoreError::new(kind, "as scripted")),
            Fault::Hang => std::future::pending().await,
            Fault::LoseReply => {
                let _ = operation.await;
                Err(lost())
            }
            Fault::LoseRequest => Err(lost()),
            Fault::Late => {
                let late = Box::pin(async move { drop(operation.await) });
                self.script.lock().unwrap().late.push(late);
                Err(lost())
            }
            Fault::After(act) => {
                act().await;
                operation.await
            }
        }
    }
}

fn lost() -> StoreError {
    StoreError::new(StoreErrorKind::Indeterminate, "lost as scripted")
}

#[async_trait]
impl SessionStore for Faulty {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let (inner, key) = (self.inner.clone(), *key);
        self.suffer(Command::Load, Box::pin(async move { inner.load(&key).await })).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let (inner, key, entry) = (self.inner.clone(), *key, entry.clone());
        self.suffer(Command::Create, Box::pin(async move { inner.create(&key, &entry).await }))
            .await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (inner, key, expected, entry) = (self.inner.clone(), *key, *expected, entry.clone());
        let operation = async move { inner.replace(&key, &expected, &entry).await };
        self.suffer(Command::Replace, Box::pin(operation)).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let (inner, key, expected) = (self.inner.clone(), *key, *expected);
        let operation = async move { inner.touch(&key, &expected, deadline).await };
        self.suffer(Command::Touch, Box::pin(operation)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let (inner, key) = (self.inner.clone(), *key);
        self.suffer(Command::Delete, Box::pin(async move { inner.delete(&key).await })).await
    }

    fn may_evict(&self) -> bool {
        self.inner.may_evict()
    }
}
