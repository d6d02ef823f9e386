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
    Script { text: include_str!("replace.lua"), sha1: "f23d6a0383ac8daca6bd0792e4b93718f5e03217" };

pub(super) const TOUCH: Script =
    Script { text: include_str!("touch.lua"), sha1: "28d42ae14f8286f5550fb4f1b62de6dd6efbac3b" };

pub(super) const DELETE: Script =
    Script { text: include_str!("delete.lua"), sha1: "80c380b49832485a4ab03e2165a107a51183fb77" };

pub(super) const GATHERED: Script =
    Script { text: include_str!("gathered.lua"), sha1: "75cf96a6df00636b42169062a42dedbf64da6181" };

pub(super) const PROBE: Script =
    Script { text: include_str!("probe.lua"), sha1: "7c6e86e903bb30f9bcee33697a8dfc379f3c268e" };
