//! Charts as SVG. The colours are those of a light page; the stylesheet gives others to a dark one.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{Bar, Chart, Group, Palette};

/// The width of a phone's screen in half pixels, because plotters draws in whole units.
pub(super) const WIDTH: u32 = 716;
/// Space above a title.
const GAP: f64 = 24.0;
const TITLE: f64 = 32.0;
const ROW: f64 = 34.0;
/// The height of a bar.
const THICKNESS: f64 = 26.0;
const AXIS: u32 = 44;
/// Space to the right of the longest bar, for its label.
const LABEL: u32 = 120;
const FONT: f64 = 25.0 * 1.24;
/// How many bold letters of that font fit into a line.
const LINE: usize = 44;

pub(super) const INK: RGBColor = RGBColor(0x23, 0x30, 0x1f);
pub(super) const RULE: RGBColor = RGBColor(0xe3, 0xdd, 0xcf);

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// The coordinates of a chart: values go to the right, rows go down.
type Scale =
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>;
type Board<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Scale>;

impl Palette {
    pub(crate) fn colors(self) -> &'static [RGBColor] {
        match self {
            Self::Steps => &[
                RGBColor(0x8f, 0xb8, 0xde),
                RGBColor(0x3f, 0x7f, 0xbf),
                RGBColor(0x1b, 0x3f, 0x73),
            ],
            Self::Pair => &[RGBColor(0xb3, 0xa9, 0x94), RGBColor(0x2f, 0x5d, 0x34)],
            Self::Signals => &[
                RGBColor(0x5b, 0x93, 0x60),
                RGBColor(0xe0, 0xa0, 0x30),
                RGBColor(0xb8, 0x32, 0x2a),
            ],
        }
    }
}

/// Draws a chart; `None` when there is nothing to draw.
pub(crate) fn svg(chart: &Chart) -> Result<Option<String>, Failure> {
    if chart.groups.iter().all(|group| group.bars.iter().all(|bar| bar.value.is_none())) {
        return Ok(None);
    }
    let mut text = String::new();
    let size = (WIDTH, height(chart).ceil() as u32 + AXIS);
    draw(chart, &SVGBackend::with_string(&mut text, size).into_drawing_area())?;
    Ok(Some(text))
}

fn rows(chart: &Chart, group: &Group) -> usize {
    // One row for the stacked bar and one for its label.
    if chart.stacked { 2 } else { group.bars.len() }
}

fn height(chart: &Chart) -> f64 {
    chart.groups.iter().map(|group| group_height(chart, group)).sum()
}

fn group_height(chart: &Chart, group: &Group) -> f64 {
    GAP + TITLE * lines(&group.title).len() as f64 + ROW * rows(chart, group) as f64
}

/// Returns the greatest value, at which the axis ends.
fn greatest(chart: &Chart) -> f64 {
    if chart.stacked {
        return 1.0;
    }
    let bars = chart.groups.iter().flat_map(|group| &group.bars);
    let greatest = bars.flat_map(|bar| [bar.value, bar.fair]).flatten().fold(0.0, f64::max);
    if greatest > 0.0 { greatest } else { 1.0 }
}

fn draw(chart: &Chart, area: &Area<'_>) -> Result<(), Failure> {
    let right = if chart.stacked { AXIS } else { LABEL };
    let depth = height(chart);
    let mut board = ChartBuilder::on(area)
        .margin_right(right)
        .margin_left(2)
        .x_label_area_size(AXIS)
        .build_cartesian_2d(0.0..greatest(chart), depth..0.0)?;
    board
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RULE)
        .axis_style(RULE)
        .x_labels(5)
        .x_label_style(font())
        .x_label_formatter(&|value| axis_label(chart, *value))
        .draw()?;
    let mut top = 0.0;
    for group in &chart.groups {
        draw_group(chart, group, top, &mut board)?;
        top += group_height(chart, group);
    }
    area.present()?;
    Ok(())
}

/// Returns the label at a value of the axis. Where the bars begin there is no room for one, and no
/// need.
fn axis_label(chart: &Chart, value: f64) -> String {
    if value > 0.0 { (chart.axis)(value) } else { String::new() }
}

fn draw_group(
    chart: &Chart,
    group: &Group,
    top: f64,
    board: &mut Board<'_, '_>,
) -> Result<(), Failure> {
    let mut first = top + GAP;
    for line in lines(&group.title) {
        first += TITLE;
        board.draw_series([Text::new(line, (0.0, first - 4.0), bold())])?;
    }
    if chart.stacked {
        return draw_stack(chart, group, first, board);
    }
    let colors = chart.palette.colors().iter().cycle();
    for (row, (bar, color)) in group.bars.iter().zip(colors).enumerate() {
        draw_bar(bar, *color, first + ROW * row as f64, board)?;
    }
    Ok(())
}

fn draw_bar(
    bar: &Bar,
    color: RGBColor,
    top: f64,
    board: &mut Board<'_, '_>,
) -> Result<(), Failure> {
    let Some(value) = bar.value else {
        let absent = Text::new("not measured", (0.0, top + THICKNESS / 2.0), label());
        board.draw_series([absent])?;
        return Ok(());
    };
    board.draw_series([mark(0.0, value, top, color)])?;
    let end = bar.fair.map_or(value, |fair| value.max(fair));
    let words = EmptyElement::at((end, top + THICKNESS / 2.0))
        + Text::new(bar.label.clone(), (10, 0), label());
    board.draw_series([words])?;
    if let Some(fair) = bar.fair {
        let line = [(fair, top - 4.0), (fair, top + THICKNESS + 4.0)];
        board.draw_series([PathElement::new(line, INK.stroke_width(3))])?;
    }
    Ok(())
}

/// Draws the parts of a bar one after the other. A part of size zero is not drawn.
fn draw_stack(
    chart: &Chart,
    group: &Group,
    top: f64,
    board: &mut Board<'_, '_>,
) -> Result<(), Failure> {
    let mut begin = 0.0;
    for (bar, color) in group.bars.iter().zip(chart.palette.colors()) {
        let Some(value) = bar.value.filter(|value| *value > 0.0) else { continue };
        board.draw_series([mark(begin, begin + value, top, *color)])?;
        begin += value;
    }
    let parts = group.bars.iter().zip(&chart.series);
    let parts: Vec<_> = parts.map(|(bar, name)| format!("{} {name}", bar.label)).collect();
    let below = top + ROW + THICKNESS / 2.0;
    board.draw_series([Text::new(parts.join(", "), (0.0, below), label())])?;
    Ok(())
}

fn mark(begin: f64, end: f64, top: f64, color: RGBColor) -> Rectangle<(f64, f64)> {
    Rectangle::new([(begin, top), (end, top + THICKNESS)], color.filled())
}

pub(super) fn font() -> TextStyle<'static> {
    ("system-ui, sans-serif", FONT).into_font().color(&INK)
}

fn bold() -> TextStyle<'static> {
    let font = ("system-ui, sans-serif", FONT).into_font().style(FontStyle::Bold);
    font.color(&INK).pos(Pos::new(HPos::Left, VPos::Bottom))
}

fn label() -> TextStyle<'static> {
    font().pos(Pos::new(HPos::Left, VPos::Center))
}

/// Breaks a title into two lines at most. The table below the chart has all of it.
fn lines(title: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in title.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if letters(line) + 1 + letters(word) <= LINE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let more = lines.len() > 2;
    lines.truncate(2);
    let last = lines.len() - 1;
    lines[last].push_str(if more { "…" } else { "" });
    lines.iter().map(|line| shortened(line)).collect()
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

fn shortened(line: &str) -> String {
    if letters(line) <= LINE {
        return line.to_owned();
    }
    line.chars().take(LINE - 1).chain(['…']).collect()
}
