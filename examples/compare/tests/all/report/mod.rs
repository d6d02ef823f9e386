//! Tests what is made from a comparison: estimates, the table in the terminal, the page.

mod bills_page;
mod browser;
mod cost;
pub(crate) mod files;
mod html;
mod measured_page;
mod sample;
mod terminal;
