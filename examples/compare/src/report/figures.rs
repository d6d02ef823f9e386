//! How figures are written. One that is absent, or is no number, is a dash.

pub(crate) const ABSENT: &str = "–";

pub(crate) fn or_dash<T>(figure: Option<T>, write: impl FnOnce(T) -> String) -> String {
    figure.map_or_else(|| ABSENT.to_owned(), write)
}

fn if_number(figure: f64, write: impl FnOnce(f64) -> String) -> String {
    or_dash(figure.is_finite().then_some(figure), write)
}

/// Three digits that count, where there are as many.
pub(crate) fn milliseconds(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..9.995 => format!("{figure:.2}"),
        ..99.95 => format!("{figure:.1}"),
        _ => grouped(figure.round()),
    })
}

pub(crate) fn seconds(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..9.995 => format!("{figure:.2} s"),
        ..99.95 => format!("{figure:.1} s"),
        _ => format!("{} s", grouped(figure.round())),
    })
}

pub(crate) fn per_second(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        ..99.95 => format!("{figure:.1}"),
        _ => grouped(figure.round()),
    })
}

/// Of one.
pub(crate) fn share(figure: f64) -> String {
    if_number(figure, |figure| format!("{:.1} %", figure * 100.0))
}

pub(crate) fn bytes(figure: f64) -> String {
    const KB: f64 = 1024.0;
    if_number(figure, |figure| match figure {
        ..1023.5 => format!("{figure:.0} B"),
        ..1_048_524.0 => format!("{:.1} KB", figure / KB),
        ..1_073_689_000.0 => format!("{:.1} MB", figure / KB / KB),
        _ => format!("{:.1} GB", figure / KB / KB / KB),
    })
}

/// Store commands: seldom a whole number once conflicts are in it.
pub(crate) fn commands(figure: f64) -> String {
    if_number(figure, |figure| {
        let text = format!("{figure:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    })
}

pub(crate) fn dollars(figure: f64) -> String {
    if_number(figure, |figure| match figure {
        0.0 => "$0".to_owned(),
        0.0..0.00995 => format!("${figure:.4}"),
        0.0..0.0995 => format!("${figure:.3}"),
        _ => format!("${figure:.2}"),
    })
}

pub(crate) fn count(figure: u64) -> String {
    group(&figure.to_string())
}

fn grouped(whole: f64) -> String {
    group(&format!("{whole:.0}"))
}

/// 1234567 as 1,234,567.
fn group(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
