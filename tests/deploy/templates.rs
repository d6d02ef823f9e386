//! What both templates say, and whether the guides and the code say the same.

use std::collections::{BTreeMap, BTreeSet};

use cloakroom::Key;

use crate::{both, read};

/// Returns the IAM actions in a text: `service:Action`.
fn actions(text: &str) -> BTreeSet<String> {
    const SERVICES: [&str; 9] = [
        "dynamodb",
        "ecr",
        "elasticache",
        "elasticfilesystem",
        "iam",
        "kms",
        "logs",
        "s3",
        "secretsmanager",
    ];
    // The reasons for what checkov finds name rights that nobody gets.
    let lines =
        text.lines().filter(|line| !line.contains("comment:") && !line.contains("checkov:skip"));
    let words = lines.flat_map(|line| {
        line.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '*' | '-'))
    });
    let words = words.map(|word| word.trim_end_matches(':'));
    let actions = words.filter(|word| {
        word.split_once(':').is_some_and(|(service, action)| {
            SERVICES.contains(&service)
                && (action == "*" || action.starts_with(|c: char| c.is_ascii_uppercase()))
                // A condition's key.
                && !matches!(action, "AccessPointArn")
        })
    });
    actions.map(str::to_owned).collect()
}

fn of<'a>(actions: &'a BTreeSet<String>, service: &str) -> Vec<&'a str> {
    let of = actions.iter().filter(|action| action.starts_with(&format!("{service}:")));
    of.map(String::as_str).collect()
}

#[test]
fn both_templates_give_exactly_these_rights() {
    let expected = [
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "elasticache:Connect",
        // Denied to all, unless over TLS.
        "elasticfilesystem:Client*",
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        // Denied to all in the bucket of logs, unless over TLS.
        "s3:*",
        "s3:GetObject",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
    ];
    for (name, text) in both() {
        assert_eq!(Vec::from_iter(actions(&text)), expected, "{name}");
    }
}

#[test]
fn the_rights_on_the_table_are_those_of_the_guide_and_of_the_code() {
    let guide = read("docs/dynamodb.md");
    let (_, policy) = guide.split_once("```json").unwrap();
    let (policy, _) = policy.split_once("```").unwrap();
    let in_the_guide = actions(policy);
    let code = read("src/store/dynamodb/requests.rs");
    let called = [
        ("GetItem", ".get_item()"),
        ("PutItem", ".put_item()"),
        ("UpdateItem", ".update_item()"),
        ("DeleteItem", ".delete_item()"),
        ("Query", ".query()"),
        ("Scan", ".scan()"),
        ("BatchGetItem", ".batch_get_item()"),
        ("TransactWriteItems", ".transact_write_items()"),
    ];
    let called = called.iter().filter(|(_, call)| code.contains(call));
    let called: BTreeSet<_> = called.map(|(action, _)| format!("dynamodb:{action}")).collect();
    assert_eq!(called, in_the_guide);
    for (name, text) in both() {
        assert_eq!(of(&actions(&text), "dynamodb"), Vec::from_iter(&called), "{name}");
    }
}

#[test]
fn the_rights_on_the_file_system_are_those_of_the_guide() {
    let guide = read("docs/efs.md");
    let expected = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"];
    assert_eq!(of(&actions(&guide), "elasticfilesystem"), expected);
    for (name, text) in both() {
        let allowed = actions(&text);
        let allowed = of(&allowed, "elasticfilesystem");
        assert!(expected.iter().all(|action| allowed.contains(action)), "{name}");
        assert!(!text.contains("ClientRootAccess"), "{name}");
    }
}

#[test]
fn the_user_of_the_cache_has_the_line_of_the_guide() {
    let guide = read("docs/elasticache.md");
    let (_, lines) = guide.split_once("# one primary\n").unwrap();
    let line = lines.lines().next().unwrap();
    assert!(line.starts_with("on ~cloakroom:* -@all "), "{line}");
    for (name, text) in both() {
        let given =
            text.lines().filter(|given| given.trim_end().trim_end_matches('"').ends_with(line));
        assert_eq!(given.count(), 1, "{name}");
        assert!(text.contains("noeviction"), "{name}");
    }
}

#[test]
fn only_the_load_balancer_is_open_to_all() {
    for (name, text) in both() {
        let open: Vec<_> = text.lines().filter(|line| line.contains("0.0.0.0/0")).collect();
        assert_eq!(open.len(), 2, "{name}: {open:#?}");
        // The route to the internet gateway, and the rule of port 443.
        let rule = open
            .iter()
            .find(|line| line.to_lowercase().contains("cidrip") || line.contains("cidr_ipv4"));
        let at = text.find(rule.unwrap()).unwrap();
        let around = &text[at.saturating_sub(250)..(at + 250).min(text.len())];
        assert!(
            around.contains("443") && around.contains("HTTPS from anywhere"),
            "{name}: {around}"
        );
        assert!(!text.contains("::/0"), "{name}");
    }
}

#[test]
fn a_right_on_every_resource_has_its_reason_beside_it() {
    for (name, text) in both() {
        let lines: Vec<_> = text.lines().collect();
        let wide = lines.iter().enumerate().filter(|(_, line)| {
            let line = line.trim().to_lowercase();
            line.starts_with("resource") && line.contains("\"*\"")
        });
        let mut count = 0;
        for (at, line) in wide {
            count += 1;
            let before = lines[at.saturating_sub(6)..at].join("\n");
            assert!(before.contains("`*`, because"), "{name}: {line}");
        }
        assert!(count >= 2, "{name}: {count}");
    }
}

#[test]
fn no_secret_is_written_in_a_template() {
    for (name, text) in both() {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            let value = line.split_once(['=', ':']).map_or("", |(_, value)| value.trim());
            let named = line.to_lowercase();
            let named = named.starts_with("password") || named.starts_with("secret_string");
            let harmless =
                value.is_empty() || value.starts_with("ephemeral.") || value.parse::<u32>().is_ok();
            assert!(
                !named || harmless || value.starts_with('{'),
                "{name}, line {}: {line}",
                at + 1
            );
        }
        // Secrets reach the container by reference only.
        assert!(
            text.contains("SESSION_KEYS") && !text.contains("{Name: SESSION_KEYS, Value:"),
            "{name}"
        );
        for protected in ["cookie", "authorization"] {
            assert!(
                text.matches(protected).count() >= 2,
                "{name} protects {protected} in WAF's logs"
            );
        }
    }
}

/// The settings that decide how the deployment behaves, in the words of each template.
#[test]
fn both_templates_have_the_same_settings() {
    const SAME: [(&str, &str); 28] = [
        (
            "SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06",
            "ssl_policy = \"ELBSecurityPolicy-TLS13-1-2-2021-06\"",
        ),
        ("HealthCheckPath: /healthz", "path = \"/healthz\""),
        ("HealthCheckIntervalSeconds: 10", "interval = 10"),
        ("UnhealthyThresholdCount: 3", "unhealthy_threshold = 3"),
        ("Key: deregistration_delay.timeout_seconds, Value: \"30\"", "deregistration_delay = 30"),
        ("StopTimeout: 30", "stopTimeout = 30"),
        (
            "Key: routing.http.drop_invalid_header_fields.enabled, Value: \"true\"",
            "drop_invalid_header_fields = true",
        ),
        ("Key: waf.fail_open.enabled, Value: \"false\"", "enable_waf_fail_open = false"),
        ("Key: deletion_protection.enabled, Value: \"true\"", "enable_deletion_protection = true"),
        ("Name: AWSManagedRulesCommonRuleSet", "name = \"AWSManagedRulesCommonRuleSet\""),
        (
            "Name: AWSManagedRulesKnownBadInputsRuleSet",
            "name = \"AWSManagedRulesKnownBadInputsRuleSet\"",
        ),
        (
            "Name: AWSManagedRulesAmazonIpReputationList",
            "name = \"AWSManagedRulesAmazonIpReputationList\"",
        ),
        ("MultiAZEnabled: true", "multi_az_enabled = true"),
        ("AutomaticFailoverEnabled: true", "automatic_failover_enabled = true"),
        ("TransitEncryptionEnabled: true", "transit_encryption_enabled = true"),
        ("AtRestEncryptionEnabled: true", "at_rest_encryption_enabled = true"),
        ("AuthenticationMode: {Type: iam}", "type = \"iam\""),
        ("BillingMode: PAY_PER_REQUEST", "billing_mode = \"PAY_PER_REQUEST\""),
        (
            "TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}",
            "attribute_name = \"ttl\"",
        ),
        ("PointInTimeRecoveryEnabled: false", "point_in_time_recovery { enabled = false"),
        ("TransitEncryption: ENABLED", "transit_encryption = \"ENABLED\""),
        ("IAM: ENABLED", "iam = \"ENABLED\""),
        ("Encrypted: true", "encrypted = true"),
        ("Permissions: \"0700\"", "permissions = \"0700\""),
        ("ReadonlyRootFilesystem: true", "readonlyRootFilesystem = true"),
        ("EnableExecuteCommand: false", "enable_execute_command = false"),
        ("MinimumHealthyPercent: 100", "deployment_minimum_healthy_percent = 100"),
        (
            "DeploymentCircuitBreaker: {Enable: true, Rollback: true}",
            "deployment_circuit_breaker { enable = true rollback = true",
        ),
    ];
    let [cloudformation, terraform] =
        both().map(|(_, text)| text.split_whitespace().collect::<Vec<_>>().join(" "));
    for (one, other) in SAME {
        assert!(cloudformation.contains(one), "CloudFormation: {one}");
        assert!(terraform.contains(other), "Terraform: {other}");
    }
}

/// Returns the threshold of each alarm by its description.
fn alarms(text: &str, [description, above, below]: [&str; 3]) -> BTreeMap<String, String> {
    let lines: Vec<_> = text.lines().collect();
    let described = lines.iter().enumerate().filter(|(_, line)| line.contains(description));
    described
        .map(|(at, line)| {
            let (_, rest) = line.split_once(description).unwrap();
            let rest = rest.trim().trim_start_matches('"');
            let end = rest.find('"').unwrap_or(rest.len());
            let near = std::iter::once(line).chain(&lines[at..(at + 4).min(lines.len())]);
            let threshold = near.filter_map(|line| {
                let found = [above, below].into_iter().find_map(|word| line.split_once(word));
                let digits = found?.1.trim().split(|c: char| !c.is_ascii_digit()).next()?;
                Some(digits.to_owned())
            });
            (rest[..end].to_owned(), threshold.into_iter().next().unwrap_or_default())
        })
        .collect()
}

#[test]
fn both_templates_have_the_same_alarms_and_the_page_explains_each() {
    let [cloudformation, terraform] = both().map(|(_, text)| text);
    let one = alarms(&cloudformation, ["AlarmDescription: ", "Threshold: ", "Threshold: "]);
    assert_eq!(one.len(), 21, "{one:#?}");
    assert!(one.values().all(|threshold| !threshold.is_empty()), "{one:#?}");
    assert_eq!(one, alarms_of_terraform(&terraform));
    let page = read("docs/deploy.md");
    let names = cloudformation.lines().filter_map(|line| {
        line.strip_prefix("  ").filter(|name| !name.starts_with(' '))?.strip_suffix("Alarm:")
    });
    let names: Vec<_> = names.collect();
    assert_eq!(names.len(), one.len());
    for name in names {
        let mut first_cells =
            page.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
        let name = format!("`{name}`");
        assert!(first_cells.any(|cell| cell.contains(&name)), "the page does not explain {name}");
    }
}

/// Reads Terraform's alarms, whose equal signs `terraform fmt` has aligned.
fn alarms_of_terraform(terraform: &str) -> BTreeMap<String, String> {
    let (_, text) = terraform.split_once("alarms_of_the_app").unwrap();
    let (text, _) = text.split_once("resource \"aws_cloudwatch_metric_alarm\"").unwrap();
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    alarms(&lines.collect::<Vec<_>>().join("\n"), ["description = ", "above = ", "below = "])
}

#[test]
fn the_page_states_each_finding_that_the_templates_accept() {
    let ids = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| word.starts_with("CKV")).map(str::to_owned).collect()
    };
    let [cloudformation, terraform] = both().map(|(_, text)| ids(&text));
    let stated = ids(&read("docs/deploy.md"));
    assert_eq!(stated, &cloudformation | &terraform);
}

#[test]
fn the_image_of_the_page_has_every_feature_that_the_stores_need() {
    let page = read("docs/deploy.md");
    let (_, file) = page.split_once("```dockerfile\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let (_, features) = file.split_once("--features ").unwrap();
    let features: Vec<_> = features.split_whitespace().next().unwrap().split(',').collect();
    assert_eq!(features, ["redis-iam", "dynamodb", "efs"]);
    let manifest = read("Cargo.toml");
    for feature in features {
        assert!(manifest.contains(&format!("\n{feature} = [")), "{feature}");
    }
    assert!(file.contains("--example cart") && file.contains("USER 10001:10001"), "{file}");
}

#[test]
fn what_aws_draws_is_a_key() {
    for (name, text) in both() {
        assert!(text.contains("44"), "{name}");
    }
    // 44 letters and digits, whichever they are.
    for drawn in ["a".repeat(44), "Z9".repeat(22), "zZ90".repeat(11)] {
        Key::from_base64url(&drawn).unwrap();
    }
    assert!(
        Key::from_base64url(&"b".repeat(43)).is_err(),
        "43 of them may be no text of whole bytes"
    );
}
