//! Which file uses which, and where that goes round in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;

use super::Sources;

/// Files of which each uses an item of the next, and the last one of the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cycle(Vec<Arrow>);

/// A file, and the items of the next that it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrow {
    from: PathBuf,
    to: PathBuf,
    items: BTreeSet<String>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Arrow { from, to, items }) in self.0.iter().enumerate() {
            let items: Vec<&str> = items.iter().map(String::as_str).collect();
            let lead = if number == 0 { "" } else { ", and " };
            let (from, to) = (from.display(), to.display());
            write!(f, "{lead}{from} uses {} of {to}", items.join(", "))?;
        }
        Ok(())
    }
}

type Uses = BTreeMap<usize, BTreeMap<usize, BTreeSet<String>>>;

impl Sources {
    /// The shortest cycle of each file that is in one; none twice.
    pub(crate) fn cycles(&self) -> Vec<Cycle> {
        let uses = self.uses();
        let mut seen = BTreeSet::new();
        let mut cycles = Vec::new();
        for &start in uses.keys() {
            let Some(files) = shortest(&uses, start) else {
                continue;
            };
            let members: BTreeSet<usize> = files.iter().copied().collect();
            if seen.insert(members) {
                cycles.push(self.cycle(&uses, &files));
            }
        }
        cycles
    }

    /// How many files the crate has.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// The items of files that each file uses, those of the files that hold its parent modules excepted.
    fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (number, module) in self.modules.iter().enumerate() {
            for path in &module.mentions {
                let Some((to, name)) = self.item(number, path) else {
                    continue;
                };
                if to != module.file && !self.is_above(to, number) {
                    let items = uses.entry(module.file).or_default().entry(to).or_default();
                    items.insert(name);
                }
            }
        }
        uses
    }

    /// Whether a file holds a module that another one lies in.
    fn is_above(&self, file: usize, module: usize) -> bool {
        let mut above = self.modules[module].parent;
        while let Some(parent) = above {
            if self.modules[parent].file == file {
                return true;
            }
            above = self.modules[parent].parent;
        }
        false
    }

    fn cycle(&self, uses: &Uses, files: &[usize]) -> Cycle {
        let next = files.iter().cycle().skip(1);
        let arrows = files.iter().zip(next).map(|(from, to)| Arrow {
            from: self.files[*from].clone(),
            to: self.files[*to].clone(),
            items: uses[from][to].clone(),
        });
        Cycle(arrows.collect())
    }
}

/// The shortest way from a file back to itself.
fn shortest(uses: &Uses, start: usize) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &next in uses.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let mut way = vec![at];
                while way[way.len() - 1] != start {
                    way.push(before[&way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            before.entry(next).or_insert_with(|| {
                queue.push_back(next);
                at
            });
        }
    }
    None
}
