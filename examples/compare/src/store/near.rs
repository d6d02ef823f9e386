//! The memory of each node in front of a store: `cloakroom`'s `Near`.

use super::Store;

pub(super) fn in_front_of(store: Store, seconds: u32) -> Store {
    let mut remarks = store.remarks;
    remarks.push(format!(
        "Reads may show for up to {seconds} s what another server has changed or ended meanwhile: the \
         table of late looks counts it. Every write is compared with what the store has."
    ));
    remarks.push(
        "Shoppers do not pause between requests, so nearly every read finds its session held. Visitors \
         pause, and the dollars are for their loads: docs/near.md counts them."
            .into(),
    );
    Store {
        url: url(&store.url, seconds),
        setting: format!("the memory of each node for {seconds} s, before {}", store.setting),
        remarks,
        staleness: Some(seconds),
        ..store
    }
}

/// Makes the URL of the memory in front of the store at this URL.
pub(super) fn url(store: &str, seconds: u32) -> String {
    format!("near:?store={}&staleness={seconds}s", percent_encoded(store))
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_the_store_is_one_value_in_that_of_the_memory() {
        let found = url("redis://127.0.0.1:7?a=b%2Fc&d=e", 5);
        let store = "redis%3A%2F%2F127%2E0%2E0%2E1%3A7%3Fa%3Db%252Fc%26d%3De";
        assert_eq!(found, format!("near:?store={store}&staleness=5s"));
    }
}
