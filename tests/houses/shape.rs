//! The shape of a file: how long it and its functions are, and where `#[cfg]` may stand.

use crate::source::Source;

const LONGEST_FUNCTION: usize = 60;
const LONGEST_FILE: usize = 450;

/// Returns every `#[cfg]` in a wrong place. A feature or a platform gates modules, imports and
/// impls, `#[cfg(test)]` any item. Neither stands inside a function, and an item has one.
pub(crate) fn wrong_gates(source: &Source) -> Vec<String> {
    let lines: Vec<_> = source.text.lines().collect();
    let mut wrong = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let gate = is_gate(code);
        let item = gated_item(&lines[at..]);
        let fits = ["mod ", "use ", "impl ", "impl<"].iter().any(|start| item.starts_with(start));
        let second = lines[..at].last().is_some_and(|before| is_gate(before.trim_start()));
        let right = (fits || code == "#[cfg(test)]")
            && !second
            && !is_inside_a_function(&lines[..at], line);
        if !code.starts_with("//") && (code.contains("cfg!(") || (gate && !right)) {
            wrong.push(format!("{}:{}: {code} {item}", source.module, at + 1));
        }
    }
    wrong
}

fn is_gate(code: &str) -> bool {
    code.starts_with("#[cfg(")
}

/// Returns the item below a gate, which may have several lines.
fn gated_item<'a>(gate: &[&'a str]) -> &'a str {
    let after = gate.iter().skip_while(|line| !line.ends_with(']')).skip(1);
    let mut lines = after.map(|line| line.trim_start());
    let item = lines.find(|line| !line.starts_with('#') && !line.starts_with("//"));
    let item = item.unwrap_or_default();
    item.strip_prefix("pub(crate) ").or(item.strip_prefix("pub ")).unwrap_or(item)
}

/// Relies on rustfmt: the block that holds a line begins further left.
fn is_inside_a_function(before: &[&str], line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut left = indent(line);
    before.iter().rev().any(|line| {
        let opens = !line.trim().is_empty() && indent(line) < left;
        if opens {
            left = indent(line);
        }
        opens && line.contains("fn ")
    })
}

/// Returns every function of more than sixty lines. Relies on rustfmt: a function ends where a
/// brace stands below its first letter.
pub(crate) fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<_> = source.text.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<_> = code.split(' ').take(4).collect();
        let qualifiers = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe"];
        let is_function = words.iter().find(|word| !qualifiers.contains(word)) == Some(&"fn");
        if !is_function || code.ends_with('}') || code.ends_with(';') {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let is_end = |line: &&str| {
            [format!("{indent}}}"), format!("{indent});")].contains(&(**line).to_owned())
        };
        let length = lines[at..].iter().position(is_end).map_or(0, |end| end + 1);
        if length > LONGEST_FUNCTION {
            long.push(format!("{}:{}: {length} lines", source.module, at + 1));
        }
    }
    long
}

/// Returns the file with its length if it has more than 450 lines.
pub(crate) fn long_file(source: &Source) -> Vec<String> {
    let length = source.text.lines().count();
    let is_long = length > LONGEST_FILE;
    is_long.then(|| format!("{} has {length} lines", source.module)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn a_gate_in_the_wrong_place_is_noticed() {
        for text in [
            "fn f() {\n    #[cfg(feature = \"axum\")]\n    g();\n}",
            "#[cfg(feature = \"axum\")]\nfn f() {}",
            "fn f() {\n    if cfg!(test) {}\n}",
            "impl M {\n    fn f() {\n        if x {\n            #[cfg(test)]\n            g();\n        }\n    }\n}",
            "#[cfg(unix)]\n#[cfg(feature = \"file\")]\nmod file;",
        ] {
            assert_eq!(wrong_gates(&Source::planted("m", text)).len(), 1, "{text}");
        }
        for text in [
            "#[cfg(test)]\nmod tests;\n#[cfg(unix)]\n#[doc(hidden)]\npub use a::b;\n",
            "impl M {\n    fn f() {}\n\n    #[cfg(test)]\n    fn g() {}\n}",
            "#[cfg(any(\n    feature = \"file\",\n    unix\n))]\nmod file;",
        ] {
            assert_eq!(wrong_gates(&Source::planted("m", text)), NONE, "{text}");
        }
    }

    #[test]
    fn a_long_function_is_noticed() {
        let function = |lines: usize| {
            let body = "        x();\n".repeat(lines);
            let text =
                format!("impl M {{\n    pub(crate) async fn f(&self) {{\n{body}    }}\n}}\n");
            Source::planted("m", &text)
        };
        assert_eq!(long_functions(&function(58)), NONE);
        assert_eq!(long_functions(&function(59)), ["m:2: 61 lines"]);
    }

    #[test]
    fn a_long_file_is_noticed() {
        let file = |lines: usize| Source::planted("m", &"x\n".repeat(lines));
        assert_eq!(long_file(&file(450)), NONE);
        assert_eq!(long_file(&file(451)), ["m has 451 lines"]);
    }
}
