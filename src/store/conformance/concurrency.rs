//! Laws about commands that run at once, from several handles, as many servers send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Barrier;

use super::harness::Harness;
use super::sentences;
use super::trial::{AN_HOUR, Excerpt, Trial};
use super::violation::{Verdict, Violation};
use crate::store::entry::{Created, Entry, Replaced, Touched};

const HANDLES: usize = 4;
const WRITERS: usize = 64;
/// The tasks that start a race at the same moment.
const RACERS: usize = 16;
/// The number of times that each race is run. Races are short, so one run may miss a fault.
const ROUNDS: usize = 12;
/// The number of commands of each task in a longer race.
const TURNS: u64 = 8;

/// 64 writers each add their own byte to one entry: in the end all bytes are there.
pub async fn parallel_writers_lose_no_byte(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    let trial = &trials[0];
    trial.created(&trial.entry("")).await?;
    let add = |writer: usize, trial: Trial| async move {
        let own = u8::try_from(writer).unwrap_or(u8::MAX);
        change(&trial, |entry| [&entry.bytes[..], &[own]].concat()).await
    };
    run_at_once(&trials, WRITERS, add).await?;
    let mut found = trial.live().await?.bytes.to_vec();
    found.sort_unstable();
    let lost =
        (0..WRITERS).filter(|writer| !found.iter().any(|byte| usize::from(*byte) == *writer));
    let lost: Vec<usize> = lost.collect();
    trial.check(lost.is_empty(), format_args!("the acknowledged bytes {lost:?} are lost"))?;
    trial.check(found.len() == WRITERS, "a byte was added twice")
}

/// 64 increments of one counter: it shows 64.
pub async fn parallel_increments_are_exact(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    let trial = &trials[0];
    trial.created(&trial.entry(0_u64.to_be_bytes().to_vec())).await?;
    let increment = |_, trial: Trial| async move {
        change(&trial, |entry| (count(entry) + 1).to_be_bytes().to_vec()).await
    };
    run_at_once(&trials, WRITERS, increment).await?;
    let total = count(&trial.live().await?);
    trial.check(
        total == WRITERS as u64,
        format_args!("{WRITERS} acknowledged increments made {total}"),
    )
}

/// Exactly one of several replaces that expect the same version is done; the others find its entry.
pub async fn one_of_many_replaces_wins(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    for _ in 0..ROUNDS {
        let trials = at_fresh_key(&trials);
        let version = trials[0].created(&trials[0].entry("start")).await?;
        let race = |racer: usize, trial: Trial| async move {
            let entry = trial.entry(racer.to_string());
            Ok((trial.replace(&version, &entry).await?, entry))
        };
        let answers = run_at_once(&trials, RACERS, race).await?;
        let winners = answers.iter().filter_map(|(answer, entry)| match answer {
            Replaced::Done(version) => Some((version, entry)),
            _ => None,
        });
        let (version, entry) = single_winner(&trials[0], "replaces", winners)?;
        trials[0].holds(version, entry).await?;
        for (answer, _) in &answers {
            match answer {
                Replaced::Conflict(found) => trials[0].is(found, version, entry)?,
                Replaced::Gone => return trials[0].fail("a replace that lost answered Gone"),
                Replaced::Done(_) => {}
            }
        }
    }
    Ok(())
}

/// Exactly one of several creates of one key is done, and its entry is there.
pub async fn one_of_many_creates_wins(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    for _ in 0..ROUNDS {
        let trials = at_fresh_key(&trials);
        let race = |racer: usize, trial: Trial| async move {
            let entry = trial.entry(racer.to_string());
            Ok((trial.create(&entry).await?, entry))
        };
        let answers = run_at_once(&trials, RACERS, race).await?;
        let winners = answers.iter().filter_map(|(answer, entry)| match answer {
            Created::Done(version) => Some((version, entry)),
            Created::Exists => None,
        });
        let (version, entry) = single_winner(&trials[0], "creates", winners)?;
        trials[0].holds(version, entry).await?;
    }
    Ok(())
}

/// Once a delete is acknowledged, no replace or touch that was under way brings the entry back.
pub async fn nothing_comes_back_after_a_delete(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    for _ in 0..ROUNDS {
        let trials = at_fresh_key(&trials);
        trials[0].created(&trials[0].entry("a coat")).await?;
        let over = Arc::new(AtomicBool::new(false));
        let race = |racer: usize, trial: Trial| {
            let over = over.clone();
            async move {
                if racer > 0 {
                    return keep_writing(&trial, racer.is_multiple_of(2), &over).await;
                }
                let verdict = delete_and_watch(&trial).await;
                over.store(true, Ordering::SeqCst);
                verdict
            }
        };
        run_at_once(&trials, RACERS, race).await?;
        trials[0].is_absent().await?;
    }
    Ok(())
}

/// Values of different writers are never mixed, neither in length nor in content.
pub async fn concurrent_writers_never_tear_a_value(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    let trial = &trials[0];
    let largest = harness.max_entry_bytes().map_or(256 << 10, |limit| limit.min(256 << 10));
    trial.created(&trial.entry(value_of(largest, 0))).await?;
    let race = move |racer: usize, trial: Trial| async move {
        for _ in 0..8 {
            let entry = trial.live().await?;
            trial.check(
                (0..RACERS).any(|writer| is_value_of(&entry.bytes, largest, writer)),
                format_args!(
                    "{} was found, which no single writer has written",
                    Excerpt(&entry.bytes)
                ),
            )?;
            trial.replace(&entry.version, &trial.entry(value_of(largest, racer))).await?;
        }
        Ok(())
    };
    run_at_once(&trials, RACERS, race).await?;
    Ok(())
}

/// Touches beside writers never put back what the writers have changed.
pub async fn touches_undo_no_replace(harness: &dyn Harness) -> Verdict {
    let trials = handles(sentences::ATOMIC, harness).await;
    let trial = &trials[0];
    trial.created(&trial.entry(0_u64.to_be_bytes().to_vec())).await?;
    let race = |racer: usize, trial: Trial| async move {
        for turn in 1..=TURNS {
            if racer.is_multiple_of(2) {
                change(&trial, |entry| (count(entry) + 1).to_be_bytes().to_vec()).await?;
            } else {
                let entry = trial.live().await?;
                let later = trial.deadline(2 * AN_HOUR + Duration::from_secs(turn));
                trial.touch(&entry.version, later).await?;
            }
        }
        Ok(TURNS)
    };
    let turns = run_at_once(&trials, RACERS, race).await?;
    let done: u64 = turns.iter().step_by(2).sum();
    let total = count(&trial.live().await?);
    trial.check(total == done, format_args!("{done} acknowledged increments made {total}"))
}

/// Returns a writer's value: its own letter, in a length that no other writer's value has.
fn value_of(largest: usize, writer: usize) -> Vec<u8> {
    let letter = b'a'.saturating_add(u8::try_from(writer).unwrap_or(u8::MAX));
    vec![letter; length(largest, writer)]
}

fn length(largest: usize, writer: usize) -> usize {
    largest.saturating_sub(writer * 997)
}

fn is_value_of(bytes: &[u8], largest: usize, writer: usize) -> bool {
    bytes.len() == length(largest, writer) && bytes == value_of(largest, writer)
}

async fn handles(sentence: &'static str, harness: &dyn Harness) -> Vec<Trial> {
    let mut trials = vec![Trial::new(sentence, harness).await];
    while trials.len() < HANDLES {
        trials.push(trials[0].through_another_handle(harness).await);
    }
    trials
}

fn at_fresh_key(trials: &[Trial]) -> Vec<Trial> {
    let key = trials[0].at_another_key().key;
    trials.iter().map(|trial| trial.at(key)).collect()
}

/// Runs `count` tasks that begin at the same moment, and returns their outputs.
async fn run_at_once<T, F>(
    trials: &[Trial],
    count: usize,
    task: impl Fn(usize, Trial) -> F,
) -> Result<Vec<T>, Violation>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Violation>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let work = task(number, trials[number % trials.len()].clone());
            let start = start.clone();
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut outputs = Vec::with_capacity(count);
    for task in tasks {
        let output = task.await.map_err(|_| trials[0].broken("a command panicked"))?;
        outputs.push(output?);
    }
    Ok(outputs)
}

/// Loads and replaces until the replace succeeds. An attempt fails only when another writer's attempt
/// has succeeded since the load, so the number of failures is bounded.
async fn change(trial: &Trial, to: impl Fn(&Entry) -> Vec<u8>) -> Verdict {
    for _ in 0..=WRITERS * RACERS {
        let entry = trial.live().await?;
        // Gives the other writers the chance to write in between.
        tokio::task::yield_now().await;
        match trial.replace(&entry.version, &trial.entry(to(&entry))).await? {
            Replaced::Done(_) => return Ok(()),
            Replaced::Conflict(_) => {}
            Replaced::Gone => return trial.fail("replace of a live entry answered Gone"),
        }
    }
    trial.fail("a writer met more conflicts than there were other writes")
}

fn count(entry: &Entry) -> u64 {
    entry.bytes.as_ref().try_into().map_or(0, u64::from_be_bytes)
}

fn single_winner<T>(
    trial: &Trial,
    commands: &str,
    mut winners: impl Iterator<Item = T>,
) -> Result<T, Violation> {
    let first = winners.next();
    let others = winners.count();
    match first {
        Some(winner) if others == 0 => Ok(winner),
        Some(_) => trial.fail(format_args!("{} of {RACERS} {commands} were Done", others + 1)),
        None => trial.fail(format_args!("none of {RACERS} {commands} was Done")),
    }
}

/// Deletes the entry after a few writes of others, and checks that it stays absent.
async fn delete_and_watch(trial: &Trial) -> Verdict {
    for _ in 0..4 {
        trial.live().await?;
        tokio::task::yield_now().await;
    }
    trial.delete().await?;
    for _ in 0..32 {
        trial.is_absent().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Replaces or touches until the entry is gone.
async fn keep_writing(trial: &Trial, replaces: bool, over: &AtomicBool) -> Verdict {
    for turn in 1_u64.. {
        let Some(entry) = trial.load().await? else { break };
        // Varies the moment of the delete: sometimes between load and write, sometimes during the
        // write.
        if turn.is_multiple_of(2) {
            tokio::task::yield_now().await;
        }
        let gone = if replaces {
            trial.replace(&entry.version, &trial.entry("a coat")).await? == Replaced::Gone
        } else {
            let later = entry.deadline.saturating_add(Duration::from_secs(turn));
            trial.touch(&entry.version, later).await? == Touched::Gone
        };
        if gone || over.load(Ordering::SeqCst) {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}
