//! The scripts: what has to happen in one step on the server and is no command of its own.

/// A script and the SHA-1 that a server which has seen it knows it by.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) sha1: &'static str,
}

pub(super) const REPLACE: Script =
    Script { text: include_str!("replace.lua"), sha1: "d5f3d6cd70fe736bcc721042820c29ee31455ef4" };

pub(super) const TOUCH: Script =
    Script { text: include_str!("touch.lua"), sha1: "d2448f976551a55ccc3ecfe5a841a117b97f6065" };

pub(super) const SUCCEED: Script =
    Script { text: include_str!("succeed.lua"), sha1: "c6566271c12e10cc5122d2aeb22386b5e8dc53f9" };
