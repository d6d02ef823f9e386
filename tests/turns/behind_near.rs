//! Renewed tickets behind a server's own memory.

use cloakroom::store::Near;
use cloakroom_testing::Command::Replace;

use super::{EVERY, SECOND, found, open, read, user};

/// A copy that is older than the ticket is no reason to write.
#[tokio::test]
async fn near_reads_with_the_new_ticket_cost_no_writes() {
    let house = open();
    let near = Near::new(house.counting.clone()).staleness(30 * SECOND).clock(house.clock.clone());
    let near = house.server(near, house.key.clone()).renew_every(EVERY);
    let user = user(&house).await;
    house.clock.advance(EVERY - SECOND);
    found(&read(&user.at(&near)).await); // held, with number 0
    house.clock.advance(SECOND);
    let direct = house.elsewhere().renew_every(EVERY);
    found(&read(&user.at(&direct)).await);
    found(&read(&user.at(&direct)).await);
    house.counting.take();
    let mut writes = 0;
    for _ in 0..10 {
        found(&read(&user.at(&near)).await);
        writes += house.counting.take().iter().filter(|command| **command == Replace).count();
    }
    assert_eq!(writes, 0);
}
