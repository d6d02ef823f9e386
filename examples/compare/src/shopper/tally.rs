//! The requests of a phase, counted.

use std::time::Duration;

use super::client::Answer;
use crate::results::{Answers, Latency, Phase, PhaseName};

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The latency of each acknowledged request, in microseconds. A phase has few enough to keep
    /// them all.
    micros: Vec<u64>,
    answers: Answers,
}

impl Tally {
    pub(crate) fn note(&mut self, answer: &Answer, took: Duration) {
        let count = match answer {
            Answer::Acknowledged(_) => {
                self.micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                &mut self.answers.acknowledged
            }
            Answer::Conflict => &mut self.answers.conflicts,
            Answer::Unavailable => &mut self.answers.unavailable,
            Answer::Other(_) => &mut self.answers.other,
            Answer::Broken => &mut self.answers.broken,
        };
        *count += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        let (own, other) = (&mut self.answers, other.answers);
        own.acknowledged += other.acknowledged;
        own.conflicts += other.conflicts;
        own.unavailable += other.unavailable;
        own.other += other.other;
        own.broken += other.broken;
    }

    pub(crate) fn requests(&self) -> u64 {
        let Answers { acknowledged, conflicts, unavailable, other, broken } = self.answers;
        acknowledged + conflicts + unavailable + other + broken
    }

    pub(crate) fn phase(mut self, name: PhaseName, took: Duration) -> Phase {
        self.micros.sort_unstable();
        let (requests, seconds) = (self.requests(), took.as_secs_f64());
        Phase {
            name,
            seconds,
            requests,
            requests_per_second: requests as f64 / seconds.max(f64::MIN_POSITIVE),
            latency: latency(&self.micros),
            answers: self.answers,
        }
    }
}

/// Returns the latencies of so many microseconds, the shortest first.
pub(crate) fn latency(sorted: &[u64]) -> Option<Latency> {
    let milliseconds = |hundredths| Some(percentile(sorted, hundredths)? as f64 / 1000.0);
    Some(Latency {
        p50_ms: milliseconds(50)?,
        p95_ms: milliseconds(95)?,
        p99_ms: milliseconds(99)?,
        max_ms: milliseconds(100)?,
    })
}

/// Returns the smallest value that so many hundredths of the values do not exceed.
fn percentile(sorted: &[u64], hundredths: usize) -> Option<u64> {
    let rank = (sorted.len() * hundredths).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|p| percentile(&hundred, p).unwrap());
        assert_eq!([p50, p95, p99, max], [50, 95, 99, 100]);
        assert_eq!(percentile(&[7], 1), Some(7));
        assert_eq!(percentile(&[7, 8, 9], 50), Some(8));
        assert_eq!(percentile(&[7, 8, 9], 99), Some(9));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_phase_counts_every_answer_and_times_only_the_acknowledged() {
        let (mut tally, mut other) = (Tally::default(), Tally::default());
        tally.note(&Answer::Acknowledged(None), Duration::from_millis(4));
        tally.note(&Answer::Conflict, Duration::from_secs(9));
        other.note(&Answer::Unavailable, Duration::from_secs(9));
        other.note(&Answer::Broken, Duration::from_secs(9));
        other.note(&Answer::Other(413), Duration::from_secs(9));
        tally.add(other);
        let phase = tally.phase(PhaseName::Steady, Duration::from_secs(2));
        assert_eq!(phase.requests, 5);
        assert!((phase.requests_per_second - 2.5).abs() < 1e-9);
        assert!((phase.latency.unwrap().max_ms - 4.0).abs() < 1e-9);
        let Answers { acknowledged, conflicts, unavailable, other, broken } = phase.answers;
        assert_eq!([acknowledged, conflicts, unavailable, other, broken], [1; 5]);
    }

    #[test]
    fn nothing_acknowledged_has_no_latency() {
        assert!(Tally::default().phase(PhaseName::Steady, Duration::ZERO).latency.is_none());
    }
}
