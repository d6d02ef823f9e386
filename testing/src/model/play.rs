//! Plays one seed.

use std::collections::HashSet;
use std::time::Duration;

use cloakroom::Timestamp;
use cloakroom::store::{SessionStore, StoreKey, Version};

use super::draw::Known;
use super::place::{Answer, Command, Place, explained};
use super::{Meddling, Subject, Surroundings};
use crate::{HOUR, Random, all};

const STEPS: usize = 60;
/// The most commands on one key at the same time. Every order of them is tried.
const MOST_AT_ONCE: usize = 4;

/// A command, the number of its key, and the number of the handle that sends it.
type Call = (usize, usize, Command);

struct Play<'a, S> {
    subject: &'a Subject,
    surroundings: &'a S,
    random: Random,
    keys: Vec<Known>,
    /// The versions that were ever written.
    written: HashSet<(StoreKey, Version)>,
    trace: Vec<(usize, String)>,
    commands: usize,
}

/// Plays a seed to its end, and returns the number of commands.
pub(super) async fn play(
    subject: &Subject,
    surroundings: &impl Surroundings,
    seed: u64,
) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let keys = Known::keys(&mut random);
    let (written, trace) = (HashSet::new(), Vec::new());
    let mut play = Play { subject, surroundings, random, keys, written, trace, commands: 0 };
    for _ in 0..STEPS {
        play.step().await?;
    }
    for handle in 0..subject.handles.len() {
        play.load_all(handle).await?;
    }
    Ok(play.commands)
}

impl<S: Surroundings> Play<'_, S> {
    async fn step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..8 => {
                self.advance();
                Ok(())
            }
            8..14 => {
                self.meddle().await;
                Ok(())
            }
            14..55 => {
                let calls = self.draw(1);
                self.send(calls).await
            }
            _ => {
                let count = 2 + self.random.index(19);
                let calls = self.draw(count);
                self.send(calls).await?;
                match self.random.chance(30) {
                    true => {
                        let handle = self.random.index(self.subject.handles.len());
                        self.load_all(handle).await
                    }
                    false => Ok(()),
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.subject.clock.now()
    }

    /// Moves the clock, often to a deadline or to the last moment before it.
    fn advance(&mut self) {
        let (now, at) = (self.now(), self.random.index(self.keys.len()));
        let live = self.keys[at].place().and_then(|place| place.live(now));
        let left = live.map_or(HOUR, |entry| entry.deadline.since(now)).min(3 * HOUR);
        let by = match self.random.below(4) {
            0 => left,
            1 => left.saturating_sub(Duration::from_millis(1)),
            2 => Duration::from_millis(1),
            _ => self.random.millis(0, 3_600_000),
        };
        self.subject.clock.advance(by);
    }

    /// Lets somebody else change a live entry.
    async fn meddle(&mut self) {
        let (now, at) = (self.now(), self.random.index(self.keys.len()));
        let known = &mut self.keys[at];
        let Some(until) = known.place().and_then(|place| place.live(now)).map(|live| live.deadline)
        else {
            return;
        };
        let meddling = self.surroundings.meddle(&known.key, self.random.draw()).await;
        known.places = vec![match meddling {
            Meddling::Nothing => return,
            Meddling::Removed => Place::Nothing,
            Meddling::Damaged => Place::Damaged { until },
            Meddling::Newer => Place::Newer { until },
        }];
        self.trace.push((at, format!("by others: {meddling:?}")));
    }

    /// Draws commands to be sent at the same time.
    fn draw(&mut self, count: usize) -> Vec<Call> {
        let (now, handles) = (self.now(), self.subject.handles.len());
        // A store that gathers commands does so for each handle.
        let one_handle = self.random.chance(70).then(|| self.random.index(handles));
        let mut calls: Vec<Call> = Vec::new();
        for _ in 0..count {
            let at = self.random.index(self.keys.len());
            if calls.iter().filter(|(other, ..)| *other == at).count() == MOST_AT_ONCE {
                continue;
            }
            let other = &self.keys[(at + 1) % self.keys.len()].versions;
            let most = self.subject.max_entry_bytes;
            let command = self.keys[at].draw(&mut self.random, now, most, other);
            if matches!(command, Command::Replace(..)) {
                self.keys[at].replaces.push(command.clone());
            }
            let handle = one_handle.unwrap_or_else(|| self.random.index(handles));
            calls.push((at, handle, command));
        }
        calls
    }

    async fn load_all(&mut self, handle: usize) -> Result<(), String> {
        let calls = (0..self.keys.len()).map(|at| (at, handle, Command::Load)).collect();
        self.send(calls).await
    }

    /// Sends commands at the same time, and compares their answers with the model.
    async fn send(&mut self, calls: Vec<Call>) -> Result<(), String> {
        self.commands += calls.len();
        let (keys, handles) = (&self.keys, &self.subject.handles);
        let sent = calls
            .iter()
            .map(|(at, handle, command)| ask(&*handles[*handle], &keys[*at].key, command));
        let answers = all(sent).await;
        let mut answered: Vec<Vec<(Command, Answer)>> = vec![Vec::new(); self.keys.len()];
        for ((at, handle, command), answer) in calls.into_iter().zip(answers) {
            self.trace.push((at, format!("handle {handle}: {command:?}: {answer:?}")));
            answered[at].push((command, answer));
        }
        for (at, calls) in answered.iter().enumerate().filter(|(_, calls)| !calls.is_empty()) {
            self.compare(at, calls).map_err(|fault| self.told(at, &fault))?;
            self.inspect(at).await;
        }
        Ok(())
    }

    fn compare(&mut self, at: usize, calls: &[(Command, Answer)]) -> Result<(), String> {
        let (now, most) = (self.now(), self.subject.max_entry_bytes);
        let known = &mut self.keys[at];
        for version in calls.iter().filter_map(|(_, answer)| answer.written()) {
            if !self.written.insert((known.key, version)) {
                return Err(format!("{version:?} was there before"));
            }
        }
        let places = explained(&known.places, calls, now, most);
        if places.is_empty() {
            let answers = calls.iter().map(|call| format!("  {call:?}\n")).collect::<String>();
            return Err(format!(
                "no order explains these answers:\n{answers}to what may be there: {:?}",
                known.places
            ));
        }
        known.places = places;
        known.versions.extend(calls.iter().filter_map(|(_, answer)| answer.version()));
        Ok(())
    }

    async fn inspect(&self, at: usize) {
        let (now, known) = (self.now(), &self.keys[at]);
        let deadline = match known.place() {
            Some(Place::Nothing) => None,
            Some(place) => match place.live(now) {
                Some(entry) => Some(entry.deadline),
                None => return,
            },
            None => return,
        };
        self.surroundings.inspect(&known.key, deadline).await;
    }

    /// Returns the fault with what has happened under that key.
    fn told(&self, at: usize, fault: &str) -> String {
        let (now, key) = (self.now().as_millis(), &self.keys[at].key);
        let lines = self.trace.iter().filter(|(other, _)| *other == at);
        let lines: String = lines.map(|(_, line)| format!("  {line}\n")).collect();
        format!("{fault}\nat {now}, under {key:?}, after\n{lines}")
    }
}

async fn ask(store: &dyn SessionStore, key: &StoreKey, command: &Command) -> Answer {
    let answer = match command {
        Command::Load => store.load(key).await.map(Answer::Loaded),
        Command::Create(new) => store.create(key, new).await.map(Answer::Created),
        Command::Replace(expected, new) => {
            store.replace(key, expected, new).await.map(Answer::Replaced)
        }
        Command::Touch(expected, deadline) => {
            store.touch(key, expected, *deadline).await.map(Answer::Touched)
        }
        Command::Delete => store.delete(key).await.map(|()| Answer::Deleted),
    };
    answer.unwrap_or_else(|error| Answer::Failed(error.kind()))
}
