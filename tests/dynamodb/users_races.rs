//! Races of logins, renewals and ends on the emulator in this process.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::users_races;

use crate::emulator::Table;

#[tokio::test(flavor = "multi_thread")]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let table = Table::in_process().await;
    let open = || Arc::new(table.store().build().unwrap()) as Arc<dyn SessionStore>;
    users_races::run([open(), open()], 100).await;
}
