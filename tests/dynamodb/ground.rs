//! What the promises are tried on here: a table of its own for each test.

use std::sync::Arc;

use cloakroom::store::SessionStore;

use crate::emulator::Table;
use crate::late::Late;
use crate::support::{House, clock};

pub(crate) fn house() -> House {
    let clock = clock();
    let of_the_store = clock.clone();
    let open = move || {
        let clock = of_the_store.clone();
        async move {
            let table = Table::in_process().await;
            Arc::new(table.store().clock(clock).build().unwrap()) as Arc<dyn SessionStore>
        }
    };
    House::over(Arc::new(Late::new(open)), clock)
}
