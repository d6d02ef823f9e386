//! Formats figures. A figure that is absent or not a number is a dash.

pub const ABSENT: &str = "–";

pub fn or_dash<T>(figure: Option<T>, write: impl FnOnce(T) -> String) -> String {
    figure.map_or_else(|| ABSENT.to_owned(), write)
}

fn if_number(figure: f64, write: impl FnOnce(f64) -> String) -> String {
    or_dash(figure.is_finite().then_some(figure), write)
}

/// Writes milliseconds with three significant digits, if there are as many.
pub fn milliseconds(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..9.995 => format!("{figure:.2}"),
        ..99.95 => format!("{figure:.1}"),
        _ => grouped(figure.round()),
    })
}

pub fn seconds(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..9.995 => format!("{figure:.2} s"),
        ..99.95 => format!("{figure:.1} s"),
        _ => format!("{} s", grouped(figure.round())),
    })
}

pub fn per_second(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..99.95 => format!("{figure:.1}"),
        _ => grouped(figure.round()),
    })
}

/// Writes a share as a percentage.
pub fn share(figure: f64) -> String {
    if_number(figure, |figure| format!("{:.1} %", figure * 100.0))
}

pub fn bytes(figure: f64) -> String {
    const KB: f64 = 1024.0;
    if_number(figure, |figure| match figure {
        ..1023.5 => format!("{figure:.0} B"),
        ..1_048_524.0 => format!("{:.1} KB", figure / KB),
        ..1_073_689_000.0 => format!("{:.1} MB", figure / KB / KB),
        _ => format!("{:.1} GB", figure / KB / KB / KB),
    })
}

/// Writes an average number of store commands, which conflicts make fractional.
pub fn commands(figure: f64) -> String {
    if_number(figure, |figure| {
        let text = format!("{figure:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    })
}

pub fn dollars(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        0.0 => "$0".to_owned(),
        0.0..0.00995 => format!("${figure:.4}"),
        0.0..0.0995 => format!("${figure:.3}"),
        _ => format!("${figure:.2}"),
    })
}

/// Writes dollars of a month's bill: cents only where they matter.
pub fn monthly(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        0.0 => "$0".to_owned(),
        ..0.01 => "under $0.01".to_owned(),
        ..9.995 => format!("${figure:.2}"),
        _ => format!("${}", grouped(figure.round())),
    })
}

/// Writes an amount of gigabytes and the like.
pub fn amount(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..9.95 => format!("{figure:.1}"),
        _ => grouped(figure.round()),
    })
}

/// Writes a rate of requests, or any number, without needless decimals.
pub fn rate(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..0.95 => format!("{figure:.1}"),
        ..9.95 => format!("{figure:.1}").trim_end_matches(".0").to_owned(),
        _ => grouped(figure.round()),
    })
}

pub fn count(figure: u64) -> String {
    group(&figure.to_string())
}

fn grouped(whole: f64) -> String {
    group(&format!("{whole:.0}"))
}

/// Groups the digits of a number: 1234567 becomes 1,234,567.
fn group(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let figures = [0.0, 0.004, 1.239, 9.994, 9.996, 12.34, 99.94, 99.96, 1234.4];
        let written = ["0.00", "0.00", "1.24", "9.99", "10.0", "12.3", "99.9", "100", "1,234"];
        assert_eq!(figures.map(milliseconds), written);
        assert_eq!([0.25, 90.0, 3600.0].map(seconds), ["0.25 s", "90.0 s", "3,600 s"]);
        assert_eq!([1.5, 99.9, 123_456.7].map(per_second), ["1.5", "99.9", "123,457"]);
    }

    #[test]
    fn small_amounts_of_money_keep_two_digits() {
        let figures = [0.0, 0.0046, 0.00994, 0.01, 0.0999, 0.1, 1.375, 1234.0];
        let written = ["$0", "$0.0046", "$0.0099", "$0.010", "$0.10", "$0.10", "$1.38", "$1234.00"];
        assert_eq!(figures.map(dollars), written);
    }

    #[test]
    fn units_change_before_a_figure_has_five_digits() {
        let figures = [0.0, 1023.4, 1023.6, 1_048_523.0, 1_048_525.0, 24.0 * 1_073_741_824.0];
        let written = ["0 B", "1023 B", "1.0 KB", "1023.9 KB", "1.0 MB", "24.0 GB"];
        assert_eq!(figures.map(bytes), written);
    }

    #[test]
    fn bills_have_cents_below_ten_dollars() {
        let figures = [0.0, 0.004, 1.133, 9.996, 332.4, 11_333.25];
        let written = ["$0", "under $0.01", "$1.13", "$10", "$332", "$11,333"];
        assert_eq!(figures.map(monthly), written);
        assert_eq!([0.04, 3.23, 9.96, 35_000.4].map(amount), ["0.0", "3.2", "10", "35,000"]);
        assert_eq!([0.1, 1.0, 5.48, 82.07, 1e4].map(rate), ["0.1", "1", "5.5", "82", "10,000"]);
    }

    #[test]
    fn the_rest() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1.0, 1.25, 1.333, 20.0].map(commands), ["1", "1.25", "1.33", "20"]);
        assert_eq!([0.0, 0.3333, 1.0].map(share), ["0.0 %", "33.3 %", "100.0 %"]);
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        for figure in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for write in [milliseconds, seconds, per_second, share, bytes, commands, dollars] {
                assert_eq!(write(figure), ABSENT);
            }
        }
        assert_eq!(or_dash(None, milliseconds), ABSENT);
        assert_eq!(or_dash(Some(1.0), milliseconds), "1.00");
    }
}
