//! Laws about single entries: a read returns what was written, under its own key only.

use std::collections::HashSet;
use std::time::Duration;

use super::harness::Harness;
use super::sentences;
use super::trial::{Trial, random};
use super::violation::Verdict;
use crate::hex::Hex;
use crate::id::StoreKey;
use crate::store::entry::Created;

/// A key that was never written has no entry.
pub async fn an_absent_entry_is_none(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::ABSENT, harness).await;
    trial.is_absent().await
}

/// Bytes, deadline and the acknowledged version come back, as often as they are read.
pub async fn what_was_created_is_loaded(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LOAD, harness).await;
    let entry = trial.entry("a coat");
    let version = trial.created(&entry).await?;
    trial.holds(&version, &entry).await?;
    trial.holds(&version, &entry).await
}

/// No byte value is special: neither zero nor line ends nor what is not UTF-8.
pub async fn every_byte_value_survives(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::BYTES, harness).await;
    let ascending: Vec<u8> = (0..=255).collect();
    let entry = trial.entry(ascending.clone());
    let version = trial.created(&entry).await?;
    trial.holds(&version, &entry).await?;
    let descending: Vec<u8> = ascending.into_iter().rev().collect();
    let entry = trial.entry(descending);
    let version = trial.replaced(&version, &entry).await?;
    trial.holds(&version, &entry).await
}

/// Empty, one byte and 100,000 bytes, created and replaced (or as many as the store takes).
pub async fn any_length_survives(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::BYTES, harness).await;
    let large = harness.max_entry_bytes().map_or(100_000, |limit| limit.min(100_000));
    for length in [0, 1, large] {
        let trial = trial.at_another_key();
        let entry = trial.entry(vec![b'x'; length]);
        let mut version = trial.created(&entry).await?;
        trial.holds(&version, &entry).await?;
        for next in [large, 0, length] {
            let entry = trial.entry(vec![b'y'; next]);
            version = trial.replaced(&version, &entry).await?;
            trial.holds(&version, &entry).await?;
        }
    }
    Ok(())
}

/// A live entry stays as it is, version and deadline included, even for equal bytes.
pub async fn create_never_overwrites_a_live_entry(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CREATE_KEEPS, harness).await;
    let first = trial.entry("first");
    let version = trial.created(&first).await?;
    for bytes in ["second", "first"] {
        let entry = trial.entry_for(Duration::from_secs(60), bytes);
        let answer = trial.create(&entry).await?;
        trial.check(answer == Created::Exists, format_args!("create answered {answer:?}"))?;
        trial.holds(&version, &first).await?;
    }
    Ok(())
}

/// After a delete the key is free.
pub async fn create_works_again_after_a_delete(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::CREATE, harness).await;
    trial.created(&trial.entry("first")).await?;
    trial.delete().await?;
    let second = trial.entry("second");
    let version = trial.created(&second).await?;
    trial.holds(&version, &second).await
}

/// After a delete the entry is absent.
pub async fn delete_removes_the_entry(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::DELETE, harness).await;
    trial.created(&trial.entry("a coat")).await?;
    trial.delete().await?;
    trial.is_absent().await
}

/// Deleting what was never there, or twice, succeeds.
pub async fn deleting_the_absent_succeeds(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::DELETE_ABSENT, harness).await;
    trial.delete().await?;
    trial.created(&trial.entry("a coat")).await?;
    trial.delete().await?;
    trial.delete().await
}

/// All 32 bytes of a key count: keys that differ in one bit name different entries, and a write or
/// a delete of one leaves the others alone.
pub async fn keys_are_independent(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::LOAD, harness).await;
    let base: [u8; 32] = random();
    let neighbours = (0..256).map(|bit| {
        let mut key = base;
        key[bit / 8] ^= 1 << (bit % 8);
        trial.at(StoreKey::from_bytes(key))
    });
    let mut kept = Vec::new();
    for (number, trial) in neighbours.enumerate() {
        let entry = trial.entry(number.to_string());
        let version = trial.created(&entry).await?;
        kept.push((trial, version, entry));
    }
    for (trial, version, entry) in kept.iter_mut().step_by(3) {
        *entry = trial.entry("replaced");
        *version = trial.replaced(version, entry).await?;
    }
    for (trial, ..) in kept.iter().skip(1).step_by(3) {
        trial.delete().await?;
    }
    for (number, (trial, version, entry)) in kept.iter().enumerate() {
        match number % 3 {
            1 => trial.is_absent().await?,
            _ => trial.holds(version, entry).await?,
        }
    }
    Ok(())
}

/// Every handle finds what another has written, and sees what another has changed or deleted.
pub async fn handles_share_their_entries(harness: &dyn Harness) -> Verdict {
    let here = Trial::new(sentences::SHARED, harness).await;
    let there = here.through_another_handle(harness).await;
    let first = here.entry("first");
    let version = here.created(&first).await?;
    there.holds(&version, &first).await?;
    let second = there.entry("second");
    let version = there.replaced(&version, &second).await?;
    here.holds(&version, &second).await?;
    here.delete().await?;
    there.is_absent().await
}

/// Each command sees the effect of the one before it at once, through whichever handle that went.
pub async fn every_command_sees_the_one_before_it(harness: &dyn Harness) -> Verdict {
    let here = Trial::new(sentences::FRESH, harness).await;
    let there = here.through_another_handle(harness).await;
    let mut version = here.created(&here.entry("0")).await?;
    for turn in 1..50 {
        let writer = if turn % 2 == 0 { &here } else { &there };
        let entry = writer.entry(turn.to_string());
        version = writer.replaced(&version, &entry).await?;
        here.holds(&version, &entry).await?;
        there.holds(&version, &entry).await?;
    }
    here.delete().await?;
    there.is_absent().await
}

/// Equal bytes under one key, over and over: each write has a version that none before it had.
pub async fn versions_never_repeat(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::VERSIONS, harness).await;
    let mut seen = HashSet::new();
    let mut is_new =
        |version| trial.check(seen.insert(version), format_args!("{version:?} was answered twice"));
    for _ in 0..20 {
        let mut version = trial.created(&trial.entry("equal")).await?;
        is_new(version)?;
        for _ in 0..4 {
            version = trial.replaced(&version, &trial.entry("equal")).await?;
            is_new(version)?;
        }
        trial.delete().await?;
    }
    Ok(())
}

/// `Debug` of a store shows the bytes of an entry neither as text nor as hexadecimal digits nor as a
/// list of numbers: a session may hold private data, and `Debug` texts end in logs.
pub async fn debug_shows_no_entry_bytes(harness: &dyn Harness) -> Verdict {
    let trial = Trial::new(sentences::SILENT, harness).await;
    let secret = "coat-with-a-letter-in-its-pocket";
    trial.created(&trial.entry(secret)).await?;
    let shown = format!("{0:?} {0:#?}", trial.store).to_lowercase();
    let hex = Hex(secret.as_bytes()).to_string();
    let list = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>();
    for form in [secret, &hex, &list.join(", "), &list.join(",")] {
        trial.check(!shown.contains(form), "the Debug of the store shows an entry's bytes")?;
    }
    Ok(())
}
