//! The shape of the table: creating it, and checking that it is the one that the guide describes.

use mysql_async::{Row, Value};
use std::sync::Arc;

use super::exchange::{Request, Statement};
use super::failure::Failed;
use super::statements::create_table;
use super::table::Table;
use crate::error::StoreError;
use crate::store::failure::Failure;

const ENGINE: &str = "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
const COLUMNS: &str = "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH \
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
const UNIQUE_KEYS: &str = "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND NON_UNIQUE = 0";

/// The columns, the types that each may have, and the least length.
const EXPECTED: [(&str, &[&str], u64); 4] = [
    ("key", &["binary", "varbinary"], 32),
    ("version", &["varbinary"], 32),
    ("deadline", &["bigint"], 0),
    ("bytes", &["mediumblob", "longblob"], 0),
];

impl Table {
    /// Creates the table if it is missing.
    pub(super) async fn create_if_missing(&self) -> Result<(), StoreError> {
        self.ask(&create_table(&self.name), vec![]).await.map(drop)
    }

    /// Refuses a table on which the statements would do something else than they should.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let name = vec![Value::from(&self.name)];
        let engine = self.ask(ENGINE, name.clone()).await?;
        let columns = self.ask(COLUMNS, name.clone()).await?;
        let unique = self.ask(UNIQUE_KEYS, name).await?;
        let [engine, columns, unique] = [engine, columns, unique].map(texts);
        match problem(&engine, &columns, &unique) {
            Some(problem) => {
                let text = format!("the table `{}` {problem}; the guide has its SQL", self.name);
                Err(Failed::misconfigured(text).failure.for_read())
            }
            None => Ok(()),
        }
    }

    async fn ask(&self, text: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let text = Arc::from(text);
        let request = || Request::single(Statement::new(&text, values.clone()));
        let answers = self.send(request, self.connections.deadline()).await;
        Ok(answers.map_err(Failure::for_read)?.first.rows)
    }
}

type Texts = Vec<Vec<String>>;

/// Returns the cells as text. MySQL and MariaDB disagree about the types of what they tell about tables.
fn texts(rows: Vec<Row>) -> Texts {
    let text = |value: Value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        _ => String::new(),
    };
    rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
}

fn problem(engine: &Texts, columns: &Texts, unique: &Texts) -> Option<String> {
    let Some(engine) = engine.first().and_then(|row| row.first()) else {
        return Some("does not exist, or the user may not see it".to_owned());
    };
    if !engine.eq_ignore_ascii_case("InnoDB") {
        // MyISAM and Aria do not undo a statement that failed half-way.
        return Some("must have the engine InnoDB".to_owned());
    }
    for (name, types, least) in EXPECTED {
        let column = columns.iter().find(|row| row.first().is_some_and(|known| known == name));
        let Some([_, kind, length]) = column.map(Vec::as_slice) else {
            return Some(format!("lacks the column `{name}`"));
        };
        let is_long_enough = length.parse().unwrap_or(0) >= least;
        if !types.contains(&kind.to_ascii_lowercase().as_str()) || !is_long_enough {
            return Some(format!("has a column `{name}` of another type"));
        }
    }
    match unique.as_slice() {
        [only] if *only == ["PRIMARY", "key", ""] => None,
        _ => Some("must have the primary key `key` and no other unique key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<const N: usize>(rows: &[[&str; N]]) -> Texts {
        rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect()
    }

    fn columns() -> Texts {
        rows(&[
            ["key", "binary", "32"],
            ["version", "varbinary", "32"],
            ["deadline", "bigint", ""],
            ["bytes", "mediumblob", "16777215"],
        ])
    }

    #[test]
    fn the_table_of_the_guide_is_taken() {
        let unique = rows(&[["PRIMARY", "key", ""]]);
        assert_eq!(problem(&rows(&[["InnoDB"]]), &columns(), &unique), None);
    }

    #[test]
    fn another_table_is_refused_with_the_reason() {
        let (innodb, unique) = (rows(&[["InnoDB"]]), rows(&[["PRIMARY", "key", ""]]));
        let says =
            |found: Option<String>, text: &str| assert!(found.unwrap().contains(text), "{text}");
        says(problem(&vec![], &columns(), &unique), "does not exist");
        says(problem(&rows(&[["MyISAM"]]), &columns(), &unique), "InnoDB");
        for (at, kind, length) in
            [(0, "varchar", "64"), (0, "binary", "16"), (1, "binary", "8"), (3, "blob", "65535")]
        {
            let mut other = columns();
            other[at][1..].clone_from_slice(&[kind.to_owned(), length.to_owned()]);
            says(problem(&innodb, &other, &unique), "of another type");
        }
        says(problem(&innodb, &columns()[..3].to_vec(), &unique), "lacks the column `bytes`");
        for keys in [
            vec![],
            rows(&[["PRIMARY", "key", "8"]]),
            rows(&[["PRIMARY", "key", ""], ["other", "version", ""]]),
        ] {
            says(problem(&innodb, &columns(), &keys), "no other unique key");
        }
    }
}
