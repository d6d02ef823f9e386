//! One command with its parameters.

use bytes::{Bytes, BytesMut};
use smallvec::{SmallVec, smallvec};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, Row};

use super::statements::{Kind, Statements};
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::entry::{NewEntry, Version};

/// A command that owns what it needs, so that it can outlive the future that asked for it.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) key: StoreKey,
    parameters: SmallVec<[Parameter; 6]>,
}

impl Call {
    pub(super) fn load(key: &StoreKey, now: Timestamp) -> Self {
        Self::new(Kind::Load, key, smallvec![now.into()])
    }

    pub(super) fn create(key: &StoreKey, new: &NewEntry, now: Timestamp) -> Self {
        let bytes = Parameter::Bytes(new.bytes.clone());
        let parameters =
            smallvec![Version::from(new.commit).into(), new.deadline.into(), bytes, now.into()];
        Self::new(Kind::Create, key, parameters)
    }

    pub(super) fn replace(
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
        now: Timestamp,
    ) -> Self {
        let bytes = Parameter::Bytes(new.bytes.clone());
        let parameters = smallvec![
            (*expected).into(),
            Version::from(new.commit).into(),
            new.deadline.into(),
            bytes,
            now.into()
        ];
        Self::new(Kind::Replace, key, parameters)
    }

    pub(super) fn touch(
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Self {
        let parameters = smallvec![(*expected).into(), deadline.into(), now.into()];
        Self::new(Kind::Touch, key, parameters)
    }

    pub(super) fn delete(key: &StoreKey) -> Self {
        Self::new(Kind::Delete, key, SmallVec::new())
    }

    fn new(kind: Kind, key: &StoreKey, mut parameters: SmallVec<[Parameter; 6]>) -> Self {
        parameters.insert(0, Parameter::Key(*key));
        Self { kind, key: *key, parameters }
    }

    /// Runs the statement by the name under which the server has prepared it.
    pub(super) async fn run_prepared(
        &self,
        client: &Client,
        statement: &tokio_postgres::Statement,
    ) -> Result<Vec<Row>, Error> {
        let parameters: SmallVec<[&(dyn ToSql + Sync); 6]> =
            self.parameters.iter().map(|parameter| parameter as _).collect();
        client.query(statement, &parameters).await
    }

    /// Sends the text along, so that it does not matter which of a pooler's connections gets it.
    pub(super) async fn run_unnamed(
        &self,
        client: &Client,
        statements: &Statements,
    ) -> Result<Vec<Row>, Error> {
        let parameters: SmallVec<[(&(dyn ToSql + Sync), Type); 6]> =
            self.parameters.iter().map(|parameter| parameter as _).zip(self.kind.types()).collect();
        client.query_typed(statements.text(self.kind), &parameters).await
    }
}

/// The value of one parameter.
#[derive(Clone)]
enum Parameter {
    Key(StoreKey),
    Version(Version),
    Bytes(Bytes),
    Millis(i64),
}

impl From<Timestamp> for Parameter {
    fn from(moment: Timestamp) -> Self {
        // A moment has 48 bits.
        Self::Millis(i64::try_from(moment.as_millis()).unwrap_or(i64::MAX))
    }
}

impl From<Version> for Parameter {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

/// Shows nothing: the driver prints the parameters of each statement into the log, where its level is
/// `debug`.
impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

impl ToSql for Parameter {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Key(key) => key.as_bytes().as_slice().to_sql(ty, out),
            Self::Version(version) => version.as_bytes().to_sql(ty, out),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
            Self::Millis(millis) => millis.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA || *ty == Type::INT8
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CommitId;

    #[test]
    fn each_statement_gets_as_many_parameters_as_it_has() {
        let key = StoreKey::from_bytes([7; 32]);
        let (version, now) = (Version::EMPTY, Timestamp::default());
        let new = NewEntry::new(CommitId::from_bytes([1; 8]), now, "secret");
        for call in [
            Call::load(&key, now),
            Call::create(&key, &new, now),
            Call::replace(&key, &version, &new, now),
            Call::touch(&key, &version, now, now),
            Call::delete(&key),
        ] {
            assert_eq!(call.parameters.len(), call.kind.types().len(), "{:?}", call.kind);
            let shown = format!("{:?}", call.parameters);
            assert!(shown.bytes().all(|byte| b"[]., ".contains(&byte)), "{shown}");
        }
    }
}
