//! The scripts, for steps that the server must take as one and has no command for.
//!
//! The newer native comparison (`SET … IFEQ`) instead would not run on the servers that have to be
//! supported, and it compares whole values: each write would send the session twice.

/// A script, and the SHA-1 by which a server that has run it knows it.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) text: &'static str,
    /// Written out here and not computed, because nothing else needs SHA-1. A wrong one costs a
    /// second command for each call, which the tests that count commands notice.
    pub(super) sha1: &'static str,
}

pub(super) const CREATE_OVER_EXPIRED: Script = Script {
    text: include_str!("create_over_expired.lua"),
    sha1: "16f39d81b41e6eefeca68ef350903b57abddd676",
};

pub(super) const REPLACE: Script =
    Script { text: include_str!("replace.lua"), sha1: "ce4903da260eac74c2ce64f21a81cd6673db9446" };

pub(super) const TOUCH: Script =
    Script { text: include_str!("touch.lua"), sha1: "9c4ec0a2e61dcb46306b8127d42e02690fc9c1c2" };

pub(super) const DELETE: Script =
    Script { text: include_str!("delete.lua"), sha1: "b2796c02dd99c963e5c9031ec26681d638800e65" };

pub(super) const GATHERED: Script =
    Script { text: include_str!("gathered.lua"), sha1: "ec817678f4b1fccf78a6dea6e48dc6fb75da12ac" };

pub(super) const PROBE: Script =
    Script { text: include_str!("probe.lua"), sha1: "7c6e86e903bb30f9bcee33697a8dfc379f3c268e" };
