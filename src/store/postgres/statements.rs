//! The statements of the five commands.
//!
//! Each is one statement, in a transaction of its own, and reads only the snapshot that it may rely on:
//! under READ COMMITTED a statement that has waited for a row's lock sees the new row in the places that
//! locked it, and still the old one everywhere else. So `replace`, `touch` and `delete` lock the row
//! first (`cur`), and decide and answer by what they have locked. An `UPDATE … RETURNING` beside a plain
//! `SELECT` would answer a loser with the very version that it had expected.
//!
//! Rows that are damaged, or that a newer release has written, are found whatever their deadline says.
//! The caller answers with the error; the statement leaves them as they are.

use tokio_postgres::types::Type;

use super::row::VERSION_LEN;
use super::table_name::TableName;
use crate::clock::Timestamp;

/// The five commands of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Load,
    Create,
    Replace,
    Touch,
    Delete,
}

impl Kind {
    pub(super) const READS: &[Self] = &[Self::Load];
    pub(super) const WRITES: &[Self] = &[Self::Create, Self::Replace, Self::Touch, Self::Delete];

    pub(super) fn is_write(self) -> bool {
        self != Self::Load
    }

    /// Returns the types of the parameters, so that the server need not be asked for them.
    pub(super) fn types(self) -> Vec<Type> {
        const BYTES: Type = Type::BYTEA;
        const MILLIS: Type = Type::INT8;
        match self {
            Self::Load => vec![BYTES, MILLIS],
            Self::Create => vec![BYTES, BYTES, MILLIS, BYTES, MILLIS],
            Self::Replace => vec![BYTES, BYTES, BYTES, MILLIS, BYTES, MILLIS],
            Self::Touch => vec![BYTES, BYTES, MILLIS, MILLIS],
            Self::Delete => vec![BYTES],
        }
    }
}

/// The texts of all statements on one table.
#[derive(Debug)]
pub(super) struct Statements {
    load: String,
    create: String,
    replace: String,
    touch: String,
    delete: String,
    /// Returns whether the table can be used: the privileges, and the server's release.
    pub(super) check: String,
    /// The table's size in pages.
    pub(super) pages: String,
    /// Deletes the expired rows in a range of pages.
    pub(super) sweep: String,
}

impl Statements {
    pub(super) fn on(table: &TableName) -> Self {
        let literal = format!("'{}'", table.to_string().replace('\'', "''"));
        Self {
            load: load(table),
            create: create(table),
            replace: replace(table),
            touch: touch(table),
            delete: delete(table),
            check: format!(
                "SELECT has_table_privilege({literal}, 'SELECT') \
                 AND has_table_privilege({literal}, 'INSERT') \
                 AND has_table_privilege({literal}, 'UPDATE') \
                 AND has_table_privilege({literal}, 'DELETE'), \
                 current_setting('server_version_num')::bigint"
            ),
            pages: format!(
                "SELECT pg_relation_size({literal}::regclass) \
                 / current_setting('block_size')::bigint"
            ),
            sweep: sweep(table),
        }
    }

    pub(super) fn text(&self, kind: Kind) -> &str {
        match kind {
            Kind::Load => &self.load,
            Kind::Create => &self.create,
            Kind::Replace => &self.replace,
            Kind::Touch => &self.touch,
            Kind::Delete => &self.delete,
        }
    }
}

/// Whether a row is there for a command at the moment `now`: it is live, or it cannot be read.
fn is_there(now: &str) -> String {
    format!("(deadline > {now} OR deadline < 0 OR octet_length(version) <> {VERSION_LEN})")
}

/// The second row, without a version, says that the server is read-only. A read-only server is not the
/// primary, or will not be for long: its rows may be older than what was acknowledged, and a session that
/// has ended elsewhere would still be live here. A pooler may lead to such a server at any time.
fn load(table: &TableName) -> String {
    format!(
        "SELECT version, deadline, bytes FROM {table} WHERE key = $1 AND {there} \
         UNION ALL SELECT NULL, NULL, NULL WHERE current_setting('transaction_read_only') = 'on'",
        there = is_there("$2"),
    )
}

/// The second half finds the row that is in the way, so that the caller sees whether it can be read.
fn create(table: &TableName) -> String {
    format!(
        "WITH w AS (INSERT INTO {table} AS c (key, version, deadline, bytes) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE \
         SET version = excluded.version, deadline = excluded.deadline, bytes = excluded.bytes \
         WHERE c.deadline <= $5 AND c.deadline >= 0 AND octet_length(c.version) = {VERSION_LEN} \
         RETURNING 1) \
         SELECT true AS done, NULL::bytea AS version, NULL::bigint AS deadline FROM w \
         UNION ALL SELECT false, version, deadline FROM {table} \
         WHERE key = $1 AND NOT EXISTS (SELECT FROM w)",
    )
}

fn replace(table: &TableName) -> String {
    format!(
        "WITH cur AS MATERIALIZED (SELECT version, deadline, bytes FROM {table} \
         WHERE key = $1 AND {there} FOR NO KEY UPDATE), \
         u AS (UPDATE {table} c SET version = $3, deadline = $4, bytes = $5 FROM cur \
         WHERE c.key = $1 AND cur.version = $2 AND octet_length(cur.version) = {VERSION_LEN} \
         AND cur.deadline > $6 AND cur.deadline <= {latest} RETURNING 1) \
         SELECT EXISTS (SELECT FROM u) AS done, version, deadline, \
         CASE WHEN version <> $2 THEN bytes END AS bytes FROM cur",
        there = is_there("$6"),
        latest = Timestamp::MAX.as_millis(),
    )
}

fn touch(table: &TableName) -> String {
    format!(
        "WITH cur AS MATERIALIZED (SELECT version, deadline FROM {table} \
         WHERE key = $1 AND {there} FOR NO KEY UPDATE), \
         u AS (UPDATE {table} c SET deadline = $3 FROM cur \
         WHERE c.key = $1 AND cur.version = $2 AND octet_length(cur.version) = {VERSION_LEN} \
         AND cur.deadline < $3 AND cur.deadline > $4 RETURNING 1) \
         SELECT EXISTS (SELECT FROM u) AS done, version, deadline FROM cur",
        there = is_there("$4"),
    )
}

/// Deletes anything but a row of a newer format.
fn delete(table: &TableName) -> String {
    let newer = format!("octet_length(version) BETWEEN {} AND 32", VERSION_LEN + 1);
    format!(
        "WITH cur AS MATERIALIZED (SELECT version, {newer} AS newer FROM {table} \
         WHERE key = $1 FOR UPDATE), \
         d AS (DELETE FROM {table} c USING cur WHERE c.key = $1 AND NOT cur.newer) \
         SELECT version FROM cur WHERE newer",
    )
}

/// Finds rows by their place in the table, which needs no index on the deadline: such an index would end
/// the heap-only updates, and every touch would write it too. A row that somebody has locked is skipped
/// and found by the next sweep.
fn sweep(table: &TableName) -> String {
    format!(
        "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} \
         WHERE ctid >= $1::text::tid AND ctid < $2::text::tid AND deadline BETWEEN 0 AND $3 \
         AND octet_length(version) = {VERSION_LEN} FOR UPDATE SKIP LOCKED)) \
         AND deadline BETWEEN 0 AND $3 AND octet_length(version) = {VERSION_LEN}",
    )
}

/// Returns the statements that make the table, for a migration.
pub(super) fn migration(table: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (\n    \
             key bytea PRIMARY KEY,\n    \
             version bytea NOT NULL,\n    \
             deadline bigint NOT NULL,\n    \
             bytes bytea NOT NULL\n\
         ) WITH (fillfactor = 80, toast.autovacuum_vacuum_scale_factor = 0.05);\n\
         ALTER TABLE {table} ALTER COLUMN bytes SET STORAGE EXTERNAL;\n"
    )
}
