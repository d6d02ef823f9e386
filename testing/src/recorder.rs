//! An observer that writes down what it is told.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use cloakroom::Observer;
use cloakroom::events::{
    Conflict, CookieRefused, Outage, SessionChange, SessionEvent, StoreCommand,
};

/// Records events. Clones share the record.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    lines: Vec<String>,
    shown: String,
    sessions: Vec<SessionEvent>,
    commands: Vec<StoreCommand>,
}

impl Recorder {
    /// Returns what happened since the last call, store commands included: `load done`, `loaded`.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().lines)
    }

    /// Returns what happened since the last call, without the store commands.
    pub fn take_events(&self) -> Vec<String> {
        let is_command = |line: &String| COMMANDS.iter().any(|name| line.starts_with(name));
        self.take().into_iter().filter(|line| !is_command(line)).collect()
    }

    /// Returns the events of sessions since the last call.
    pub fn take_sessions(&self) -> Vec<SessionEvent> {
        std::mem::take(&mut self.0.lock().unwrap().sessions)
    }

    /// Returns the store commands since the last call.
    pub fn take_commands(&self) -> Vec<StoreCommand> {
        std::mem::take(&mut self.0.lock().unwrap().commands)
    }

    /// Returns every event ever told, in both forms of `Debug`.
    pub fn shown(&self) -> String {
        self.0.lock().unwrap().shown.clone()
    }

    fn note(&self, line: String, event: &dyn Debug) {
        let mut record = self.0.lock().unwrap();
        record.lines.push(line);
        record.shown.push_str(&format!("{event:?} {event:#?}\n"));
    }
}

const COMMANDS: [&str; 5] = ["load ", "create ", "replace ", "touch ", "delete "];

impl Observer for Recorder {
    fn session(&self, event: &SessionEvent) {
        let name = event.change.name();
        self.note(
            match event.change {
                SessionChange::Ended(by) => format!("{name} by {}", by.name()),
                _ => name.to_owned(),
            },
            event,
        );
        self.0.lock().unwrap().sessions.push(*event);
    }

    fn cookie_refused(&self, event: &CookieRefused) {
        self.note(format!("refused {}", event.why.name()), event);
    }

    fn conflict(&self, event: &Conflict) {
        self.note(format!("conflict {}", event.outcome.name()), event);
    }

    fn command(&self, event: &StoreCommand) {
        self.note(format!("{} {}", event.command.name(), event.outcome.name()), event);
        self.0.lock().unwrap().commands.push(*event);
    }

    fn outage(&self, event: &Outage) {
        self.note(format!("outage {}", event.name()), event);
    }
}
