//! Requests that overlap.

use cloakroom_testing::Command::Replace;
use cloakroom_testing::{Fault, House};

use crate::observed;

#[tokio::test]
async fn a_merge_and_a_refusal_are_told() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    let other = guest.copy();
    told.take();
    let meanwhile = async |value: u32| {
        other.visit(async move |session| session.insert("other", &value)).await.is_ok();
        told.take();
    };
    let merged = guest.visit(async |session| {
        session.insert("k", &2)?;
        meanwhile(1).await;
        Ok(())
    });
    merged.await.is_ok();
    let all = ["replace unmet", "conflict merged", "replace done", "changed"];
    assert_eq!(told.take(), all);
    let refused = guest.visit(async |session| {
        session.get::<u32>("other")?;
        meanwhile(2).await;
        session.insert("other", &3)
    });
    refused.await.is_conflict_on("other");
    assert_eq!(told.take(), ["replace unmet", "conflict refused"]);
}

#[tokio::test]
async fn a_lost_answer_that_is_found_out_is_a_change_and_no_conflict() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    let mut open = None;
    guest
        .visit(async |session| {
            open = Some(session);
            Ok(())
        })
        .await
        .is_ok();
    let open = open.unwrap();
    // Doubt ends with a change that is applied, and is told as one.
    house.faulty.next(Replace, Fault::LoseReply);
    told.take();
    open.insert("k", &7).unwrap();
    open.save().await.unwrap();
    assert_eq!(
        told.take(),
        ["replace indeterminate", "outage begun", "load done", "outage over", "changed"]
    );
}
