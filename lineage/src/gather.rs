//! Which rows a generation has: those of its parent and of its datasets, each once, without what is in quarantine. Of each row, hashes and
//! counts are held.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use gristmill_dataset::{DatasetRow, Layout, Origin};
use gristmill_datasets::Task;
use gristmill_domain::id::ContentId;
use serde::{Deserialize, Serialize};

use crate::checker::Checker;
use crate::error::Error;
use crate::identity::{content, refuse_merged};
use crate::members::Member;
use crate::rule::Rule;
use crate::source::Source;

/// Rows that a message names.
const NAMED: usize = 3;

/// How rows are taken from the sources.
pub(crate) struct Taking<'a> {
    /// The parent first.
    pub(crate) sources: &'a [Source],
    /// The parent's synthetic rows are left out.
    pub(crate) replace: bool,
    /// The number of the generation.
    pub(crate) number: u32,
    /// The generation in which the parent's rows entered the lineage.
    pub(crate) entered: &'a HashMap<ContentId, Member>,
    /// Rules of quarantine.
    pub(crate) rules: &'a [Option<Rule>],
    /// Rows that earlier generations put into quarantine.
    pub(crate) barred: &'a [Barred],
    /// Most synthetic ancestors of a row.
    pub(crate) max_depth: u8,
    /// Columns that the generation is written in.
    pub(crate) layout: Layout,
}

/// A row in quarantine, as `quarantined.jsonl` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Barred {
    /// Its content.
    pub(crate) hash: ContentId,
    /// Its id.
    pub(crate) id: String,
    /// The number of its rule in the generation's list, from 0.
    pub(crate) rule: usize,
}

/// A real row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Real {
    /// The generation in which it entered the lineage.
    pub(crate) generation: u32,
    /// How often it stands in the training set: as often as in the source that has it most often.
    pub(crate) repeats: u32,
    in_parent: bool,
    in_dataset: bool,
}

/// A synthetic row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    /// The generation in which it entered the lineage.
    pub(crate) generation: u32,
    /// The number of its concept.
    pub(crate) concept: u32,
}

/// What a generation may have, before the ceiling.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Real rows by their content.
    pub(crate) real: HashMap<ContentId, Real>,
    /// Synthetic rows by their content.
    pub(crate) synthetic: HashMap<ContentId, Made>,
    /// Names of the concepts, by their numbers.
    pub(crate) concepts: Vec<String>,
    /// Synthetic rows that are the same as another.
    pub(crate) duplicates: u64,
    /// Rows in quarantine: those of earlier generations, and those that were found here.
    pub(crate) barred: Vec<Barred>,
    /// Rows that each rule kept out here.
    pub(crate) kept_out: Vec<u64>,
    /// Real and synthetic rows of each source.
    pub(crate) counts: Vec<(u64, u64)>,
    /// Real rows of the datasets that have the id of one of the parent's and another content.
    pub(crate) changed: u64,
    /// Synthetic rows whose teacher descends from another one's student.
    pub(crate) descended: bool,
    /// Ids of the training rows that a list of rows names.
    pub(crate) listed: HashSet<String>,
}

impl Gathered {
    /// Real rows with their repetitions.
    pub(crate) fn with_repeats(&self) -> u64 {
        self.real.values().map(|row| u64::from(row.repeats)).sum()
    }

    /// Rows of the parent that no dataset has.
    pub(crate) fn carried(&self) -> u64 {
        let carried = |row: &&Real| row.in_parent && !row.in_dataset;
        self.real.values().filter(carried).count() as u64
    }

    /// Puts synthetic rows into quarantine by a rule that others found them by.
    pub(crate) fn bar(&mut self, rows: impl IntoIterator<Item = (ContentId, String)>, rule: usize) {
        for (hash, id) in rows {
            if self.synthetic.remove(&hash).is_some() {
                self.kept_out[rule] += 1;
                self.barred.push(Barred { hash, id, rule });
            }
        }
    }
}

/// Reads all rows once, and shows each that may be in the generation to the check of leaks.
///
/// # Errors
/// [`Error::Unusable`] for rows that are deeper than the limit or that the layout does not keep, and for rules that name real rows.
pub(crate) fn gather(taking: &Taking<'_>, checker: &mut Checker<'_>, task: &Task) -> Result<Gathered, Error> {
    let mut gathering = Gathering::new(taking);
    let mut counter = task.counting("rows");
    for source in taking.sources {
        gathering.begin();
        let name = source.named.display().to_string();
        source.each_trained(|split, row| {
            let row = &row;
            gathering.note_listed(row);
            let hash = content(split, row);
            let taken = match row.provenance.origin {
                Origin::Human => gathering.real(hash, row, source),
                Origin::Synthetic => gathering.synthetic(hash, row, source),
            };
            if taken != Taken::LeftOut && !source.is_parent {
                refuse_merged(taking.layout, split, row, &name)?;
            }
            match taken {
                Taken::New => checker.look(split, row, hash, &name)?,
                Taken::Again if !source.is_parent => checker.look_at_origin(split, row, hash, &name),
                Taken::Again | Taken::LeftOut => {}
            }
            counter.at(gathering.read, None)?;
            Ok(())
        })?;
        gathering.end();
    }
    gathering.finish(taking)
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It may be in the generation.
    New,
    /// So may it, and one of the same content was met before.
    Again,
    /// It may not.
    LeftOut,
}

struct Gathering<'a> {
    taking: &'a Taking<'a>,
    gathered: Gathered,
    numbers: HashMap<String, u32>,
    /// Repetitions of real rows in the source in hand.
    repeats: HashMap<ContentId, u32>,
    /// Contents of the parent's real rows, by their ids.
    of_parent: HashMap<ContentId, ContentId>,
    /// Rules by the contents that they keep out.
    kept_out: BTreeMap<ContentId, usize>,
    too_deep: (u64, u8, Vec<String>),
    named_real: Vec<String>,
    read: u64,
}

impl<'a> Gathering<'a> {
    fn new(taking: &'a Taking<'a>) -> Self {
        Self {
            taking,
            gathered: Gathered {
                barred: taking.barred.to_vec(),
                kept_out: vec![0; taking.rules.len()],
                ..Gathered::default()
            },
            numbers: HashMap::new(),
            repeats: HashMap::new(),
            of_parent: HashMap::new(),
            kept_out: taking.barred.iter().map(|row| (row.hash, row.rule)).collect(),
            too_deep: (0, 0, Vec::new()),
            named_real: Vec::new(),
            read: 0,
        }
    }

    fn begin(&mut self) {
        self.gathered.counts.push((0, 0));
        self.repeats.clear();
    }

    fn end(&mut self) {
        for (row, repeats) in self.repeats.drain() {
            if let Some(real) = self.gathered.real.get_mut(&row) {
                real.repeats = real.repeats.max(repeats);
            }
        }
    }

    /// Notes a row that a list of rows names.
    fn note_listed(&mut self, row: &DatasetRow) {
        let mut rules = self.taking.rules.iter().flatten();
        let listed = rules.any(|rule| matches!(rule, Rule::Listed(rows) if rows.names(&row.id)));
        if listed {
            self.gathered.listed.insert(row.id.clone());
        }
    }

    /// Takes a real row.
    fn real(&mut self, hash: ContentId, row: &DatasetRow, source: &Source) -> Taken {
        self.read += 1;
        if let Some((real, _)) = self.gathered.counts.last_mut() {
            *real += 1;
        }
        let rules = self.taking.rules.iter().flatten();
        if rules.into_iter().any(|rule| rule.names(&row.id)) {
            self.named_real.push(row.id.clone());
        }
        let id = ContentId::of(&[row.id.as_bytes()]);
        match self.of_parent.get(&id) {
            _ if source.is_parent => {
                self.of_parent.insert(id, hash);
            }
            Some(of_parent) if *of_parent != hash => self.gathered.changed += 1,
            _ => {}
        }
        *self.repeats.entry(hash).or_default() += 1;
        let entered = self.entered(hash, false);
        let entry = self.gathered.real.entry(hash);
        let new = matches!(entry, Entry::Vacant(_));
        let real = entry.or_insert(Real {
            generation: entered,
            repeats: 0,
            in_parent: false,
            in_dataset: false,
        });
        real.in_parent |= source.is_parent;
        real.in_dataset |= !source.is_parent;
        match new {
            true => Taken::New,
            false => Taken::Again,
        }
    }

    /// Takes a synthetic row, or leaves it out.
    fn synthetic(&mut self, hash: ContentId, row: &DatasetRow, source: &Source) -> Taken {
        self.read += 1;
        if let Some((_, synthetic)) = self.gathered.counts.last_mut() {
            *synthetic += 1;
        }
        if source.is_parent && self.taking.replace {
            return Taken::LeftOut;
        }
        if self.kept_out(hash, row) {
            return Taken::LeftOut;
        }
        let depth = row.provenance.depth;
        if depth > self.taking.max_depth {
            let (count, deepest, named) = &mut self.too_deep;
            *count += 1;
            *deepest = depth.max(*deepest);
            if named.len() < NAMED {
                named.push(row.id.clone());
            }
            return Taken::LeftOut;
        }
        self.gathered.descended |= depth > 1;
        if self.gathered.synthetic.contains_key(&hash) {
            self.gathered.duplicates += 1;
            return Taken::Again;
        }
        let concept = row.provenance.concepts.first().map_or("", String::as_str);
        let concept = match self.numbers.get(concept) {
            Some(number) => *number,
            None => {
                let number = self.numbers.len() as u32;
                self.numbers.insert(concept.to_owned(), number);
                self.gathered.concepts.push(concept.to_owned());
                number
            }
        };
        let entered = self.entered(hash, true);
        self.gathered.synthetic.insert(
            hash,
            Made {
                generation: entered,
                concept,
            },
        );
        Taken::New
    }

    /// The generation in which a row entered the lineage: this one, where the parent does not have it.
    fn entered(&self, hash: ContentId, synthetic: bool) -> u32 {
        let of_parent = self.taking.entered.get(&hash);
        of_parent
            .filter(|member| member.synthetic == synthetic)
            .map_or(self.taking.number, |member| member.generation)
    }

    /// Whether a synthetic row is in quarantine, by its content or by a rule.
    fn kept_out(&mut self, hash: ContentId, row: &DatasetRow) -> bool {
        if let Some(rule) = self.kept_out.get(&hash) {
            self.gathered.kept_out[*rule] += 1;
            return true;
        }
        let holds = |rule: &Option<Rule>| rule.as_ref().is_some_and(|rule| rule.holds(row));
        let Some(rule) = self.taking.rules.iter().position(holds) else {
            return false;
        };
        self.kept_out.insert(hash, rule);
        self.gathered.kept_out[rule] += 1;
        self.gathered.barred.push(Barred {
            hash,
            id: row.id.clone(),
            rule,
        });
        true
    }

    fn finish(mut self, taking: &Taking<'_>) -> Result<Gathered, Error> {
        let place = taking
            .sources
            .last()
            .map_or_else(Default::default, |source| source.named.clone());
        if !self.named_real.is_empty() {
            self.named_real.sort_unstable();
            self.named_real.dedup();
            let count = self.named_real.len();
            self.named_real.truncate(NAMED);
            return Err(Error::unusable(
                &place,
                format!(
                    "{count} of the rows to quarantine are real ({}): the anchor never shrinks. Take them out of the list; where a real row is \
                     wrong, begin a new lineage from corrected seeds",
                    self.named_real.join(", ")
                ),
            ));
        }
        let (count, deepest, named) = &self.too_deep;
        if *count > 0 {
            return Err(Error::unusable(
                &place,
                format!(
                    "{count} rows have up to {deepest} synthetic ancestors, themselves included, and the limit of the lineage is {}: {}. Make them \
                     with a teacher that is closer to real data, or allow them with `--max-depth {deepest}`",
                    taking.max_depth,
                    named.join(", ")
                ),
            ));
        }
        // A row in quarantine is out whoever else made it, and wherever it was met first.
        for hash in self.kept_out.keys() {
            self.gathered.synthetic.remove(hash);
        }
        // What a person wrote stays a real row, whoever else says the same.
        let real = &self.gathered.real;
        let before = self.gathered.synthetic.len();
        self.gathered.synthetic.retain(|hash, _| !real.contains_key(hash));
        self.gathered.duplicates += (before - self.gathered.synthetic.len()) as u64;
        Ok(self.gathered)
    }
}
