//! Every promise, in a layer that keeps a roster of its users' sessions.

use cloakroom_testing::House;

cloakroom_testing::promises!(|| House::open().with_a_silent_roster());
