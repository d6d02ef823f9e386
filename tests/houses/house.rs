//! The plan of the house: which folders and files of `src/` stand on which floor.

/// For every folder, its files and subfolders from the ground up, one floor a line. A file imports
/// only what stands on a lower floor; two on one floor do not import each other. The file of the
/// folder itself (`mod.rs`) stands on top of them.
pub(crate) const FLOORS: &[(&str, &[&str])] = &[
    (
        "lib",
        &[
            "abort_on_drop backoff clock entropy error_chain hex poison",
            "error keys",
            "id",
            "record",
            "cookie",
            "store",
            "session",
            "middleware",
            "extract connect documentation",
            "guide",
            "simulation",
        ],
    ),
    (
        "connect",
        &[
            "error",
            "address",
            "open",
            "authority feature_off trust",
            "cookie dynamodb file memcached memory redis",
            "private_cookie",
        ],
    ),
    ("connect::redis", &["iam"]),
    ("store::memory", &["shards", "store", "builder"]),
    ("store", &["entry", "contract", "failure authorities", STORES]),
    (
        "store::conformance",
        &[
            "harness macros sentences violation",
            "trial",
            "cancellation concurrency damage entries expiry limits replacing touching",
            "run",
        ],
    ),
    (
        "store::dynamodb",
        &[
            "capacity item location retries",
            "condition failure",
            "requests",
            "store",
            "builder table",
        ],
    ),
    (
        "store::memcached",
        &[
            "connect_options entry expiry failure health",
            "protocol server_info tls token_cache",
            "connection",
            "node",
            "nodes",
            "discovery target",
            "servers store",
            "builder",
        ],
    ),
    (
        "store::redis",
        &[
            "endpoint entry failure gate handshake iam large_keys reauthentication script sockets tls",
            "recovery server write",
            "wire",
            "gatherable",
            "gather",
            "connection",
            "opening replicas",
            "commands",
            "store",
        ],
    ),
    ("store::redis::iam", &["options token", "login"]),
    (
        "store::file",
        &[
            "owner open",
            "options layout format mount file_id defer_drop flock session_turns",
            "error",
            "deadline",
            "worker_pool lock_queue session_file staged_file",
            "process_locks",
            "folder",
            "locked_session prepare election",
            "command_runner",
            "sweeper",
            "store",
            "builder",
        ],
    ),
    (
        "simulation",
        &[
            "coverage model random setup virtual_time",
            "ledger plan seeds trip",
            "network store_fault trace",
            "world",
            "operations",
            "handler",
            "open",
            "browser",
            "audit",
            "run users",
        ],
    ),
    ("simulation::ledger", &["entry lineage", "books", "promises", "logouts open recording"]),
    (
        "simulation::users",
        &[
            "coverage setup",
            "plan stored",
            "ledger scenes",
            "draw world",
            "fleet",
            "actions",
            "handler",
            "visitor",
            "audit",
            "run",
        ],
    ),
    ("simulation::users::ledger", &["books", "lives situations", "promises", "recording"]),
    ("cookie", &["error refusal", "csrf ticket seal", "attributes find rules", "builder pieces"]),
    ("cookie::seal", &["form", "signed private"]),
    (
        "middleware",
        &[
            "headers plain_http",
            "notices",
            "config error_answer",
            "response",
            "future",
            "service",
            "layer",
            "policies",
        ],
    ),
    (
        "session",
        &[
            "nesting roster known_roster together",
            "value field changes found",
            "decision in_flight log",
            "state",
            "command own_task reading report retry",
            "revocations",
            "terms",
            "slot",
            "work",
            "kept in_cookie",
            "backend",
            "settings",
            "visit",
            "session",
            "access csrf edit flash lazy login times",
            "users",
        ],
    ),
    ("record", &["fields", "stored", "compact roster"]),
    ("session::in_cookie", &["options"]),
    (
        "session::kept",
        &[
            "commands queue looked",
            "fresh_id",
            "roster",
            "settle logout proven early_touch listing",
            "commit",
        ],
    ),
    ("session::revocations", &["list", "shared_list"]),
    ("session::kept::roster", &["access", "walk", "prune limit", "join", "look", "ends"]),
];

/// The stores and the tests that every store passes.
pub(crate) const STORES: &str = "memory redis memcached dynamodb file conformance";

/// The files whose unit tests are a file of their own, `tests.rs` in their folder. Unit tests may
/// import everything, and nothing can import them.
pub(crate) const UNIT_TESTS: &[&str] = &[
    "cookie::seal",
    "record::stored",
    "session::changes",
    "session::decision",
    "session::in_cookie",
    "session::value",
    "store::file::locked_session",
    "store::memory",
];
