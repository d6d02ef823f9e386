//! The store contract.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Damage, Harness};
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::buckets::Emulator;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::buckets::{Bucket, builder, path};

const LIMIT: usize = 10_000;

/// Where the objects are.
enum Place {
    Memory(Arc<InMemory>),
    Server(Bucket),
}

struct On {
    place: Place,
    clock: ManualClock,
}

impl On {
    fn place(place: Place) -> Self {
        Self { place, clock: ManualClock::at(Clock::system().now()) }
    }

    fn memory() -> Self {
        Self::place(Place::Memory(Arc::new(InMemory::new())))
    }

    async fn server(emulator: Emulator) -> Self {
        Self::place(Place::Server(Bucket::on(emulator).await))
    }

    /// Returns a client with connections of its own.
    fn client(&self) -> Arc<dyn ObjectStore> {
        match &self.place {
            Place::Memory(bucket) => bucket.clone(),
            Place::Server(bucket) => bucket.client(),
        }
    }
}

#[async_trait]
impl Harness for On {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let builder = builder(self.client()).clock(self.clock.clone()).max_entry_bytes(LIMIT);
        Arc::new(builder.open().await.unwrap())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(LIMIT)
    }
}

#[async_trait]
impl Damage for On {
    async fn corrupt(&self, key: &StoreKey) {
        self.client().put(&path(key), "another program's object".into()).await.unwrap();
    }
}

mod in_memory {
    use super::*;
    cloakroom::store_conformance!(On::memory(), damage);
}

mod in_ministack {
    use super::*;
    cloakroom::store_conformance!(
        On::server(Emulator::Ministack).await,
        damage,
        #[ignore = "needs ministack"]
    );
}

mod in_azurite {
    use super::*;
    cloakroom::store_conformance!(
        On::server(Emulator::Azurite).await,
        damage,
        #[ignore = "needs azurite"]
    );
}

/// moto serves one request after the other here, so the laws about races would show nothing.
mod in_moto {
    use cloakroom::store::conformance::{self as laws, check};

    use super::*;

    macro_rules! laws {
        ($($law:ident)+) => {
            $(#[test]
            #[ignore = "needs moto"]
            fn $law() {
                check(async { laws::$law(&On::server(Emulator::Moto).await).await });
            })+
        };
    }
    laws! {
        an_absent_entry_is_none
        what_was_created_is_loaded
        every_byte_value_survives
        any_length_survives
        create_never_overwrites_a_live_entry
        create_works_again_after_a_delete
        delete_removes_the_entry
        handles_share_their_entries
        every_command_sees_the_one_before_it
        versions_never_repeat
        the_limit_is_exact_and_nothing_is_cut
        an_expired_entry_is_none
        create_works_over_an_expired_entry
        replace_of_an_expired_entry_is_gone
        far_deadlines_are_kept
        a_touched_entry_outlives_its_first_deadline
        replace_changes_data_version_and_deadline
        replace_of_a_former_version_is_a_conflict
        replace_sent_twice_is_applied_once
        replace_after_delete_does_not_resurrect
        touch_moves_the_deadline_and_nothing_else
        touch_of_another_version_is_skipped
        touch_after_delete_does_not_resurrect
        damage_is_corrupt_when_loaded
        damage_is_never_written_over
        delete_removes_damage
    }
}
