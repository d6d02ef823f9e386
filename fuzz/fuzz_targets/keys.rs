//! Keys, rings of keys and handles as texts.
#![no_main]

use cloakroom::{Key, KeyRing, SessionHandle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = Key::from_base64url(text) {
        let written = key.to_base64url();
        assert_eq!(Key::from_base64url(&written).ok(), Some(key.clone()));
        assert!(text.starts_with(&**written), "one text a key, but for the padding");
        assert!(!format!("{key:?}").contains(&**written));
    }
    if let Ok(ring) = text.parse::<KeyRing>() {
        assert!(!format!("{ring:?}").contains(text));
        let _ = ring.derived_for(text);
    }
    if let Ok(handle) = text.parse::<SessionHandle>() {
        assert_eq!(handle.to_string(), text.to_ascii_lowercase());
    }
});
