//! Makes the table, and checks that it can be used.

use tokio_postgres::error::SqlState;

use super::connections::Lease;
use super::failure::{Problem, misconfigured};
use super::statements::{Statements, migration};
use super::table_name::TableName;
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The sweep reads ranges of pages, which earlier releases do only by reading all of the table.
const OLDEST_RELEASE: i64 = 140_000;

/// Makes the table if it is missing. Several servers may do so at once.
pub(super) async fn create(lease: &Lease, table: &TableName) -> Result<(), Problem> {
    let exists = format!("SELECT to_regclass('{}') IS NOT NULL", literal(table));
    let rows = lease.client().query_typed(&exists, &[]).await.map_err(Problem::of_statement)?;
    let exists = rows.first().map_or(Ok(false), |row| row.try_get(0));
    if exists.map_err(Problem::of_statement)? {
        return Ok(());
    }
    // Both statements in one transaction. `IF NOT EXISTS` would not help: two servers that do it at once
    // can still collide in the catalogue.
    match lease.client().batch_execute(&migration(table)).await {
        Err(error) if is_there_already(error.code()) => Ok(()),
        made => made.map_err(Problem::of_statement),
    }
}

fn literal(table: &TableName) -> String {
    table.to_string().replace('\'', "''")
}

fn is_there_already(code: Option<&SqlState>) -> bool {
    code == Some(&SqlState::DUPLICATE_TABLE)
        || code == Some(&SqlState::UNIQUE_VIOLATION)
        || code == Some(&SqlState::DUPLICATE_OBJECT)
}

/// Checks the server's release and the user's privileges.
pub(super) async fn check(lease: &Lease, statements: &Statements) -> Result<(), Problem> {
    let rows = lease.client().query_typed(&statements.check, &[]).await;
    let rows = rows.map_err(Problem::of_statement)?;
    let Some(row) = rows.first() else { return Err(Problem::lost("no answer to the check")) };
    let (may_all, release): (bool, i64) = (
        row.try_get(0).map_err(Problem::of_statement)?,
        row.try_get(1).map_err(Problem::of_statement)?,
    );
    if release < OLDEST_RELEASE {
        return Err(misconfigured("PostgreSQL 14 or later is needed").into());
    }
    if !may_all {
        let problem = "the user needs SELECT, INSERT, UPDATE and DELETE on the table";
        return Err(Failure::not_applied(StoreErrorKind::Denied, problem).into());
    }
    Ok(())
}
