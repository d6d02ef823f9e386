//! Tests what is made from a comparison: estimates, bills, the table in the terminal, the page, the JSON.

mod bills_page;
mod browser;
mod cost;
mod fields;
pub(crate) mod files;
mod html;
mod losses;
mod measured_page;
mod sample;
mod scale_page;
mod terminal;
