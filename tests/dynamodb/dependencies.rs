//! The dependencies that the feature adds.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_feature_adds_neither_old_tls_nor_c_crypto() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--package", "cloakroom", "--no-default-features", "--features", "dynamodb"])
        .args(["--edges", "normal,build", "--prefix", "none", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.trim_start_matches('v')))
        })
        .collect();
    assert!(crates.iter().any(|(name, _)| *name == "aws-sdk-dynamodb"), "{tree}");
    assert!(crates.iter().any(|(name, version)| *name == "rustls" && version.starts_with("0.23.")));
    for (name, version) in &crates {
        let old = matches!((*name, *version), ("rustls", v) if v.starts_with("0.21."))
            || matches!((*name, *version), ("hyper", v) if v.starts_with("0.14."))
            || matches!((*name, *version), ("h2", v) if v.starts_with("0.3."));
        let c = ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"].contains(name);
        assert!(!old && !c, "{name} {version}");
    }
}
