//! The links of every page lead somewhere: files, headings, and what rustdoc makes of the guide.
//!
//! The pages are read by a parser of CommonMark, so a link is what a renderer takes for one. Nothing is
//! fetched: addresses of other sites are not checked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where the published documentation is; its pages are those that `cargo doc` makes.
const DOCS_RS: &str = "https://docs.rs/cloakroom/latest/";

struct Page {
    path: PathBuf,
    anchors: BTreeSet<String>,
    links: Vec<String>,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let (mut headings, mut links, mut heading) = (Vec::new(), Vec::new(), None::<String>);
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for event in Parser::new_ext(&text, options) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => headings.extend(heading.take()),
                Event::Text(text) | Event::Code(text) => {
                    heading.iter_mut().for_each(|heading| heading.push_str(&text));
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.push(dest_url.into_string());
                }
                _ => {}
            }
        }
        Self { path, anchors: anchors(&headings), links }
    }

    /// A page of the guide is rendered by rustdoc too, where its neighbours in the folder do not exist.
    fn is_in_guide(&self, guide: &str) -> bool {
        let name = self.path.file_name().unwrap().to_str().unwrap();
        guide.contains(&format!("include_str!(\"../docs/{name}\")"))
    }
}

/// The anchors that GitHub gives to headings.
fn anchors(headings: &[String]) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let unique = |heading: &String| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let count = seen.entry(anchor.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    };
    headings.iter().map(unique).collect()
}

/// Every page of the repository, by its path.
fn pages() -> BTreeMap<PathBuf, Page> {
    let folders = ["", "docs", "examples", "examples/compare", "deploy", "testing"];
    let folders = folders.iter().map(|folder| Path::new(ROOT).join(folder));
    let files = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.map(|file| file.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), Page::read(path))).collect()
}

/// Why a link leads nowhere; `None` if it leads somewhere or to another site.
fn fault(page: &Page, link: &str, pages: &BTreeMap<PathBuf, Page>, guide: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://localhost") {
        return None;
    }
    if link.starts_with("crate::") || link.starts_with("crate#") {
        let outside = !page.is_in_guide(guide);
        return outside.then(|| "only rustdoc knows it, and no rustdoc page has this file".into());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => page.path.clone(),
        _ if page.is_in_guide(guide) => return Some("rustdoc's page does not have it".into()),
        _ => page.path.parent().unwrap().join(path),
    };
    if !target.exists() {
        return Some("there is no such file".into());
    }
    let known = || pages.get(&target).is_some_and(|target| target.anchors.contains(anchor));
    (!anchor.is_empty() && !known()).then(|| "there is no such heading".into())
}

#[test]
fn every_link_of_a_page_leads_to_a_file_or_a_heading() {
    let guide = fs::read_to_string(format!("{ROOT}/src/guide.rs")).unwrap();
    let pages = pages();
    let mut checked = 0;
    let mut faults = Vec::new();
    for page in pages.values() {
        for link in &page.links {
            checked += 1;
            let fault = fault(page, link, &pages, &guide);
            faults.extend(fault.map(|why| format!("{}: {link}: {why}", page.path.display())));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(pages.len() > 12 && checked > 60, "{} pages, {checked} links", pages.len());
}

#[test]
fn every_page_of_the_docs_is_linked_from_the_readme() {
    let pages = pages();
    let readme = &pages[&Path::new(ROOT).join("README.md")];
    for page in pages.keys().filter(|path| path.parent() == Some(&Path::new(ROOT).join("docs"))) {
        let link = format!("docs/{}", page.file_name().unwrap().to_str().unwrap());
        let is_linked = readme.links.iter().any(|linked| linked.split('#').next() == Some(&link));
        assert!(is_linked, "README.md has no link to {link}");
    }
}

#[test]
fn anchors_are_githubs() {
    let headings = ["A `get`, then B", "Keys & caches", "again", "Again"].map(str::to_owned);
    let expected = ["a-get-then-b", "keys--caches", "again", "again-1"];
    assert_eq!(anchors(&headings), expected.map(str::to_owned).into());
}

/// Links in the documentation that tracing and futures have of their traits. rustdoc repeats it on the page of
/// every type, where it cannot resolve them.
const OF_OTHERS: [&str; 7] = [
    "TryFuture::Error",
    "TryFuture::Ok",
    "crate::Span",
    "super::Span::current()",
    "super::Subscriber",
    "dispatcher#setting-the-default-subscriber",
    "futures_core::future::TryFuture",
];

/// The folder in which `cargo doc` has put the rendered documentation.
fn rendered() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let done = Command::new(cargo)
        .args(["doc", "--locked", "--offline", "--quiet", "-p", "cloakroom"])
        .args(["--no-deps", "--all-features", "--lib", "--target-dir"])
        .arg(&target)
        .current_dir(ROOT)
        .status();
    assert!(done.unwrap().success());
    target.join("doc")
}

/// The values of an attribute in a file of HTML as rustdoc writes it.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    html.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

fn html_files(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            html_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let html = fs::read_to_string(&path).unwrap();
            found.insert(path, html);
        }
    }
}

/// Whether the rendered documentation has this file, and in it this anchor.
fn is_rendered(doc: &Path, from: &Path, link: &str, files: &BTreeMap<PathBuf, String>) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => from.to_owned(),
        _ => from.parent().unwrap().join(path),
    };
    // Lines of the sources, and what rustdoc's own scripts open.
    if !target.starts_with(doc)
        || anchor.parse::<u32>().is_ok()
        || anchor.contains('-') && path.contains("/src/")
    {
        return target.exists();
    }
    match files.get(&normal(&target)) {
        Some(html) => anchor.is_empty() || values(html, "id").contains(&anchor),
        None => target.exists(),
    }
}

/// The path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

/// Renders the documentation, so it takes as long as `cargo doc`.
#[test]
#[ignore = "renders the documentation; `scripts/test` runs it"]
fn every_link_of_the_rendered_documentation_leads_somewhere() {
    let doc = rendered();
    let mut files = BTreeMap::new();
    html_files(&doc.join("cloakroom"), &mut files);
    let (mut checked, mut faults) = (0, Vec::new());
    for (path, html) in &files {
        for link in values(html, "href").into_iter().filter(|link| !link.contains("://")) {
            if OF_OTHERS.contains(&link) {
                continue;
            }
            checked += 1;
            if !is_rendered(&doc, path, link, &files) {
                faults.push(format!("{}: {link}", path.display()));
            }
        }
    }
    for page in pages().values() {
        for link in page.links.iter().filter_map(|link| link.strip_prefix(DOCS_RS)) {
            checked += 1;
            if !is_rendered(&doc, &doc.join("index.html"), link, &files) {
                faults.push(format!("{}: {DOCS_RS}{link}", page.path.display()));
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(checked > 2_000, "only {checked} links");
}
