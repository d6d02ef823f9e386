//! From a real Redis to files, with an app that is rolled out step by step.

use std::sync::Arc;

use cloakroom::store::{Durability, FileStore, Moving, RedisServer, RedisStore, SessionStore};
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::processes::Folder;
use cloakroom_testing::redis::{Flavour, Standalone};
use cloakroom_testing::{MINUTE, Visitor, patient, patiently};

struct Stores {
    redis: RedisStore,
    files: FileStore,
    key: Key,
}

impl Stores {
    async fn open(server: &Standalone, folder: &Folder) -> Self {
        let server = RedisServer::standalone("127.0.0.1", server.port);
        let root = folder.join("sessions");
        std::fs::create_dir(&root).unwrap();
        let redis = RedisStore::builder().command_timeout(MINUTE / 2);
        // A move waits for half a second for its first write, so that one does not wait for the disk.
        let files = FileStore::builder(&root).durability(Durability::None);
        Self {
            redis: patiently(|| redis.clone().connect(&server)).await,
            files: files.command_timeout(MINUTE / 2).open().await.unwrap(),
            key: Key::from_bytes(&[7; 32]).unwrap(),
        }
    }

    /// Returns the layer of a server at this step of the roll-outs.
    fn server(&self, step: usize) -> SessionLayer {
        let (redis, files) = (self.redis.clone(), self.files.clone());
        let store: Arc<dyn SessionStore> = match step {
            0 => Arc::new(redis),
            1 => Arc::new(Moving::old_first(redis, files)),
            2 => Arc::new(Moving::new_first(redis, files)),
            _ => Arc::new(files),
        };
        patient(SessionLayer::new(store, self.key.clone()))
    }
}

async fn add(visitor: &Visitor, layer: &SessionLayer) {
    let add = async |session: &cloakroom::Session| session.update("n", |n: &mut u32| *n += 1);
    visitor.at(layer).visit(async |session| add(&session).await).await.is_ok();
}

async fn count(visitor: &Visitor, layer: &SessionLayer) -> String {
    visitor.at(layer).visit(async |session| session.get::<u32>("n")).await.body
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_roll_out_from_redis_to_files_logs_nobody_out_and_loses_nothing() {
    let (server, folder) = (Standalone::start(Flavour::Redis7), Folder::new());
    let stores = Stores::open(&server, &folder).await;
    let mut visitors = Vec::new();
    // Two servers are rolled one after the other, so both steps of each pair serve everybody.
    for running in [[0, 0], [0, 1], [1, 1], [1, 2], [2, 1], [2, 2]] {
        visitors.push((Visitor::new(stores.server(running[0])), 0_u32));
        let logged_out = Visitor::new(stores.server(running[1]));
        add(&logged_out, &stores.server(running[0])).await;
        for step in running {
            let layer = stores.server(step);
            for (visitor, added) in &mut visitors {
                add(visitor, &layer).await;
                *added += 1;
            }
        }
        let stolen = logged_out.copy();
        let layer = stores.server(running[1]);
        logged_out.at(&layer).visit(async |session| session.destroy().await).await.is_ok();
        for step in running {
            assert_eq!(count(&stolen, &stores.server(step)).await, "None");
        }
        for (visitor, added) in &visitors {
            for step in running {
                let found = count(visitor, &stores.server(step)).await;
                assert_eq!(found, format!("Some({added})"), "step {step}");
            }
        }
    }
    // Everybody has changed something since the second step began, so the last one finds everybody.
    for (visitor, added) in &visitors {
        assert_eq!(count(visitor, &stores.server(3)).await, format!("Some({added})"));
    }
}
