//! The chart of dollars a month over the rate of requests, as SVG.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::costs::{Costs, SetupCosts};
use super::drawing::{Failure, INK, RULE, WIDTH, font};
use super::figures::{monthly, rate};
use crate::month::{FEWEST, MOST};

const HEIGHT: u32 = 660;
/// The least that the axis of dollars shows.
const LEAST: f64 = 0.1;
/// Space for the labels of the axes.
const BELOW: u32 = 48;
const LEFT: u32 = 130;
/// Space above the highest bill and to the right of the highest rate.
const MARGIN: u32 = 56;
const DOT: i32 = 9;
/// The room that a digit of a number takes.
const LETTER: (i32, i32) = (13, 28);
/// How close two points are, as a share, that are one to the eye.
const NEAR: f64 = 0.02;

/// The curves that are drawn, with their colours and the class of the same colour in the legend. A
/// wide line may lie under a narrow one.
pub(crate) const CURVES: [(&str, RGBColor, &str, u32); 11] = [
    ("dynamodb", RGBColor(0x3f, 0x7f, 0xbf), "steps-2", 5),
    ("rds", RGBColor(0x7b, 0x5e, 0xa7), "databases-1", 5),
    ("aurora", RGBColor(0xd0, 0x7a, 0xa0), "databases-2", 5),
    ("efs", RGBColor(0xb8, 0x32, 0x2a), "signals-3", 5),
    ("s3", RGBColor(0x3a, 0x8f, 0x8f), "buckets-1", 5),
    ("valkey-serverless", RGBColor(0x2f, 0x5d, 0x34), "pair-2", 5),
    ("redis-serverless", RGBColor(0xe0, 0xa0, 0x30), "signals-2", 11),
    ("memcached-serverless", RGBColor(0xb3, 0xa9, 0x94), "pair-1", 5),
    ("valkey-nodes", RGBColor(0x8f, 0xb8, 0xde), "steps-1", 5),
    ("redis-nodes", RGBColor(0x5b, 0x93, 0x60), "signals-1", 11),
    ("memcached-nodes", RGBColor(0x1b, 0x3f, 0x73), "steps-3", 5),
];

/// Returns the set-ups that have a curve, with the class of its colour.
pub(crate) fn drawn(costs: &Costs) -> Vec<(&SetupCosts, &'static str)> {
    let setup = |id: &str| costs.setups.iter().find(|setup| setup.id == id);
    let curves = CURVES.iter().filter_map(|(id, _, class, _)| Some((setup(id)?, *class)));
    curves.filter(|(setup, _)| !setup.curve.is_empty()).collect()
}

pub(crate) fn svg(costs: &Costs) -> Result<String, Failure> {
    let mut text = String::new();
    draw(costs, &SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area())?;
    Ok(text)
}

fn draw(costs: &Costs, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Failure> {
    let curves = drawn(costs);
    let highest = curves.iter().flat_map(|(setup, _)| &setup.curve);
    let highest = highest.map(|(_, dollars)| *dollars).fold(100.0 * LEAST, f64::max);
    let top = 10f64.powf(highest.log10().ceil());
    let mut board = ChartBuilder::on(area)
        .margin_top(MARGIN / 2)
        .margin_right(MARGIN)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(wider(FEWEST, MOST).log_scale(), wider(LEAST, top).log_scale())?;
    board
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RULE)
        .axis_style(RULE)
        .x_labels(6)
        .y_labels(7)
        .label_style(font())
        .x_label_formatter(&|value| on_a_decade(*value, rate))
        .y_label_formatter(&|value| on_a_decade(*value, amount_of_dollars))
        .draw()?;
    for (id, color, _, width) in &CURVES {
        let Some((setup, _)) = curves.iter().find(|(setup, _)| setup.id == *id) else { continue };
        let points = setup.curve.iter().filter(|(_, dollars)| *dollars >= LEAST).copied();
        board.draw_series([PathElement::new(
            points.collect::<Vec<_>>(),
            color.stroke_width(*width),
        )])?;
    }
    let mut taken = Vec::new();
    for (place, (point, numbers)) in dots(costs).into_iter().enumerate() {
        // Neighbours have their numbers on two sides, so that these do not touch.
        let sides = if place % 2 == 0 { [(1, 1), (-1, -1)] } else { [(-1, -1), (1, 1)] };
        let (side, away, area) = free_side(board.backend_coord(&point), &numbers, sides, &taken);
        taken.push(area);
        let mark = EmptyElement::at(point)
            + Circle::new((0, 0), DOT, INK.filled())
            + Text::new(numbers, away, font().pos(side));
        board.draw_series([mark])?;
    }
    area.present()?;
    Ok(())
}

/// Returns the points at which curves cross, with their numbers. Those in one place share a dot.
fn dots(costs: &Costs) -> Vec<((f64, f64), String)> {
    let mut dots: Vec<((f64, f64), String)> = Vec::new();
    for (number, crossing) in costs.crossings.iter().enumerate() {
        let point = (crossing.requests_per_second, crossing.dollars);
        let is_near = |one: f64, other: f64| (one / other - 1.0).abs() < NEAR;
        match dots.last_mut() {
            Some((last, numbers)) if is_near(last.0, point.0) && is_near(last.1, point.1) => {
                numbers.push_str(&format!(", {}", number + 1));
            }
            _ => dots.push((point, (number + 1).to_string())),
        }
    }
    dots
}

/// A rectangle of the picture: from left to right, and from top to bottom.
type Area = (Range<i32>, Range<i32>);

/// Returns the first side of a dot where its numbers touch no other numbers, how far they are from the
/// dot's middle, and the area that they take. The sides are to the right and down, or the reverse.
fn free_side(
    (x, y): (i32, i32),
    numbers: &str,
    [first, second]: [(i32, i32); 2],
    taken: &[Area],
) -> (Pos, (i32, i32), Area) {
    let letters = i32::try_from(numbers.chars().count()).unwrap_or_default();
    let (width, height) = (letters * LETTER.0, LETTER.1);
    let sides = [first, second, (1, -1), (-1, 1), (1, -4), (-1, -4)].map(|(right, down)| {
        let horizontal = if right > 0 { HPos::Left } else { HPos::Right };
        let vertical = if down > 0 { VPos::Top } else { VPos::Bottom };
        let left = if right > 0 { x + DOT } else { x - DOT - width };
        let top = if down > 0 { y + DOT } else { y + down * DOT - height };
        let area = (left..left + width, top..top + height);
        (Pos::new(horizontal, vertical), (right * DOT, down * DOT), area)
    });
    let is_free = |area: &Area| !taken.iter().any(|other| overlap(area, other));
    let free = sides.iter().position(|(_, _, area)| is_free(area)).unwrap_or_default();
    sides[free].clone()
}

fn overlap(one: &Area, other: &Area) -> bool {
    let meet =
        |one: &Range<i32>, other: &Range<i32>| one.start < other.end && other.start < one.end;
    meet(&one.0, &other.0) && meet(&one.1, &other.1)
}

/// Makes room for the labels at both ends.
fn wider(least: f64, most: f64) -> Range<f64> {
    least * (1.0 - NEAR)..most * (1.0 + NEAR)
}

/// Labels powers of ten only.
fn on_a_decade(value: f64, write: fn(f64) -> String) -> String {
    let decade = value.log10();
    if (decade - decade.round()).abs() < 1e-6 { write(value) } else { String::new() }
}

fn amount_of_dollars(value: f64) -> String {
    monthly(value).replace(".00", "")
}
