//! A length of time as people write it.

use std::time::Duration;

/// The units, in milliseconds. `ms` stands before `s`, with which it ends.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60 * 1000), ("h", 60 * 60 * 1000), ("d", 24 * 60 * 60 * 1000)];

/// Reads a whole number with a unit. Without one it is refused: half of those who write `30` mean
/// minutes, and the others seconds.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let unit = UNITS.iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)));
    let number = unit
        .and_then(|(number, millis)| number.trim_end().parse::<u64>().ok()?.checked_mul(*millis));
    match number {
        Some(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err("a time must be a whole number, 1 or more, with a unit: `500ms`, `90s`, `15m`, `8h` or `30d`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("15 m", 900_000),
            ("8h", 28_800_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(span(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "30",
            "0s",
            "s",
            "ms",
            "-1s",
            "+",
            "1.5h",
            "1w",
            "1H",
            "15min",
            "9999999999999999999s",
            "1 0s",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
