//! Import circles: the strongly connected components of the import graph.

use std::collections::BTreeSet;

use crate::imports::Graph;

/// Files that all import each other, directly or by way of the others.
pub(crate) struct Circle(BTreeSet<String>);

impl Circle {
    /// Returns its size, its files and a way around it.
    pub(crate) fn describe(&self, graph: &Graph) -> String {
        let files: Vec<_> = self.0.iter().map(String::as_str).collect();
        let way = way_around(graph, &self.0).join(" -> ");
        format!("{} files ({}), such as {way}", files.len(), files.join(", "))
    }
}

/// Returns every circle of the graph.
pub(crate) fn circles(graph: &Graph) -> Vec<Circle> {
    let components: BTreeSet<_> = graph.keys().map(|module| component(graph, module)).collect();
    components.into_iter().filter(|files| files.len() > 1).map(Circle).collect()
}

/// Returns the files that `module` reaches and that reach it, itself included. Walking the whole
/// graph for each file is quadratic, which costs nothing for a few hundred files and is far
/// shorter than Tarjan's algorithm.
fn component(graph: &Graph, module: &str) -> BTreeSet<String> {
    let reached = reachable(graph, module);
    let is_back = |other: &&String| reachable(graph, other).contains(module);
    let mut component: BTreeSet<_> = reached.iter().filter(is_back).cloned().collect();
    component.insert(module.to_owned());
    component
}

fn reachable(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(module) = waiting.pop() {
        for import in graph.get(module).into_iter().flatten() {
            if reached.insert(import.clone()) {
                waiting.push(import);
            }
        }
    }
    reached
}

/// Returns a shortest way from the first file of the component back to it.
fn way_around(graph: &Graph, component: &BTreeSet<String>) -> Vec<String> {
    let start = component.first().expect("a component has a file");
    let mut ways = vec![vec![start.clone()]];
    let mut met = BTreeSet::new();
    loop {
        let mut longer = Vec::new();
        for way in &ways {
            let last = way.last().expect("a way has a file");
            for import in graph[last].intersection(component) {
                let way: Vec<_> = way.iter().chain([import]).cloned().collect();
                if import == start {
                    return way;
                }
                if met.insert(import.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::graph;
    use crate::source::Source;

    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        let sources = files.iter().map(|(module, text)| Source::planted(module, text));
        let graph = graph(&sources.collect::<Vec<_>>());
        circles(&graph).iter().map(|circle| circle.describe(&graph)).collect()
    }

    #[test]
    fn a_circle_is_reported_with_a_way_around_it() {
        let files = [
            ("lib", "mod a;"),
            ("a", "mod x;\nmod y;\nmod z;\nuse x::X;"),
            ("a::x", "use super::y::Y;"),
            ("a::y", "use super::{z::Z};"),
            ("a::z", "use crate::a::x::X;"),
        ];
        assert_eq!(
            circles_of(&files),
            ["3 files (a::x, a::y, a::z), such as a::x -> a::y -> a::z -> a::x"]
        );
    }

    #[test]
    fn a_circle_across_folders_is_reported() {
        let files = [
            ("lib", "mod a;\nmod b;"),
            ("a", "mod x;\npub use x::X;"),
            ("a::x", "fn f() { crate::b::g() }"),
            ("b", "use crate::a::X;"),
        ];
        assert_eq!(circles_of(&files), ["2 files (a::x, b), such as a::x -> b -> a::x"]);
    }

    #[test]
    fn a_child_that_uses_what_its_parent_defines_closes_a_circle() {
        let parent = "mod child;\npub use child::Child;\npub struct Parent;";
        let circle = [("lib", ""), ("a", parent), ("a::child", "use super::Parent;")];
        assert_eq!(circles_of(&circle), ["2 files (a, a::child), such as a -> a::child -> a"]);
        let line = [("lib", ""), ("a", "mod child;\nstruct P;"), ("a::child", "use super::P;")];
        assert_eq!(circles_of(&line), [""; 0], "a `mod` line is not an import");
    }

    #[test]
    fn siblings_that_meet_through_their_parent_are_no_circle() {
        let files = [
            ("lib", ""),
            ("a", "mod x;\nmod y;\npub use x::X;\npub use y::Y;"),
            ("a::x", ""),
            ("a::y", "use super::X;"),
        ];
        assert_eq!(circles_of(&files), [""; 0]);
    }
}
