//! The promises, in memory and on an emulator. One bucket serves all tests: their ids are random and never meet.

mod in_memory {
    use std::sync::{Arc, LazyLock};

    use cloakroom_testing::House;
    use object_store::memory::InMemory;

    use crate::buckets::builder;

    static BUCKET: LazyLock<Arc<InMemory>> = LazyLock::new(|| Arc::new(InMemory::new()));

    fn house() -> House {
        House::opening(async |clock| builder(BUCKET.clone()).clock(clock).open().await.unwrap())
    }

    cloakroom_testing::promises!(house);
}

mod in_ministack {
    use cloakroom::SessionLayer;
    use cloakroom_testing::buckets::Emulator;
    use cloakroom_testing::{House, MINUTE};
    use tokio::sync::OnceCell;

    use crate::buckets::Bucket;

    static BUCKET: OnceCell<Bucket> = OnceCell::const_new();

    fn house() -> House {
        let house = House::opening(async |clock| {
            let bucket = BUCKET.get_or_init(|| Bucket::on(Emulator::Ministack)).await;
            bucket.builder().clock(clock).open().await.unwrap()
        });
        house.everywhere(patient)
    }

    /// The first command of a house also waits for the check at open, and an emulator on a busy machine is slow.
    fn patient(layer: SessionLayer) -> SessionLayer {
        layer.command_timeout(MINUTE / 2).commit_timeout(MINUTE)
    }

    cloakroom_testing::promises!(house, #[ignore = "needs ministack"]);
}
