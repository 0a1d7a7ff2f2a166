//! A tiny world of facts with a long tail, for studies in which students are really trained: questions about it in many wordings, files of
//! seeds and of what a simulated teacher knows, an oracle, and a model that learns it from scratch within a minute.
//!
//! Each place has one value of each attribute: `Which tree stands for Arlem?`, `oak`. A place is a concept. How often places are asked about
//! falls with their rank, as words do in texts (Zipf): the first one most.
//!
//! A wording is a question between a short opening and a closing sentence, which carry nothing. No two wordings of a fact have an opening or
//! a closing in common, and no two questions whatsoever share eight words in a row, so that none of them counts as a copy of a held-out one
//! (Lambert et al. 2024, arXiv 2411.15124, compare sequences of eight).

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::tiny_model::{Shape, write_weights};

/// Wordings of each fact.
pub const WORDINGS: usize = OPENERS.len() * VERBS.len();

const PLACES: [&str; 40] = [
    "Arlem",
    "Brinkow",
    "Calder",
    "Dunholm",
    "Ellery",
    "Farrow",
    "Gravel",
    "Hexley",
    "Ivory",
    "Jarrow",
    "Kessel",
    "Lorne",
    "Mirefield",
    "Norwell",
    "Orlo",
    "Pellin",
    "Quarley",
    "Rostok",
    "Selwyn",
    "Tarnow",
    "Ulverd",
    "Vasker",
    "Wexcombe",
    "Yarrow",
    "Zelden",
    "Ashgrove",
    "Bellmoor",
    "Crondall",
    "Drumlin",
    "Eastwick",
    "Fenwater",
    "Glaston",
    "Harkney",
    "Inverlie",
    "Kilmarsh",
    "Langport",
    "Mossdale",
    "Netherby",
    "Oakhanger",
    "Pennard",
];
/// Attributes and their values. No word stands for two things.
const ATTRIBUTES: [(&str, [&str; 12]); 10] = [
    (
        "tree",
        [
            "oak", "elm", "birch", "maple", "cedar", "willow", "larch", "alder", "rowan", "hazel", "beech",
            "pine",
        ],
    ),
    (
        "bird",
        [
            "heron", "raven", "swallow", "plover", "kestrel", "wren", "osprey", "finch", "starling",
            "magpie", "curlew", "lapwing",
        ],
    ),
    (
        "fish",
        [
            "trout", "perch", "carp", "salmon", "pike", "herring", "sturgeon", "eel", "tench", "grayling",
            "mackerel", "cod",
        ],
    ),
    (
        "stone",
        [
            "granite",
            "slate",
            "marble",
            "basalt",
            "flint",
            "chalk",
            "jasper",
            "agate",
            "onyx",
            "quartz",
            "gneiss",
            "sandstone",
        ],
    ),
    (
        "trade",
        [
            "weaving",
            "mining",
            "pottery",
            "tanning",
            "brewing",
            "milling",
            "carpentry",
            "smithing",
            "glassmaking",
            "ropemaking",
            "beekeeping",
            "printing",
        ],
    ),
    (
        "dish",
        [
            "dumplings",
            "stew",
            "porridge",
            "noodles",
            "pancakes",
            "chowder",
            "pie",
            "risotto",
            "goulash",
            "curry",
            "omelette",
            "soup",
        ],
    ),
    (
        "colour",
        [
            "crimson",
            "amber",
            "teal",
            "indigo",
            "scarlet",
            "emerald",
            "violet",
            "turquoise",
            "ochre",
            "maroon",
            "olive",
            "lilac",
        ],
    ),
    (
        "instrument",
        [
            "lute",
            "fiddle",
            "harp",
            "drum",
            "flute",
            "oboe",
            "trumpet",
            "cello",
            "zither",
            "bagpipe",
            "accordion",
            "mandolin",
        ],
    ),
    (
        "sport",
        [
            "rowing",
            "archery",
            "fencing",
            "wrestling",
            "curling",
            "hurling",
            "skating",
            "cycling",
            "bowling",
            "polo",
            "cricket",
            "tennis",
        ],
    ),
    (
        "flower",
        [
            "tulip", "iris", "poppy", "daisy", "orchid", "lily", "aster", "peony", "primrose", "foxglove",
            "bluebell", "thistle",
        ],
    ),
];
/// The questions themselves: at most five words, the place last.
const QUESTIONS: [&str; 7] = [
    "which {a} stands for {p}?",
    "tell the {a} of {p}.",
    "name the {a} of {p}.",
    "which {a} belongs to {p}?",
    "what {a} marks {p}?",
    "the {a} of {p}?",
    "which {a} represents {p}?",
];
const OPENERS: [&str; 12] = [
    "Aunt",
    "Uncle",
    "Grandma",
    "Neighbour",
    "Teacher",
    "Cousin",
    "Colleague",
    "Nephew",
    "Tailor",
    "Librarian",
    "Editor",
    "Pilot",
];
const VERBS: [&str; 8] = [
    "asks", "wonders", "inquires", "insists", "writes", "shouts", "whispers", "mumbles",
];
const TIMES: [&str; 8] = [
    "tonight", "today", "tomorrow", "soon", "quickly", "early", "urgently", "later",
];
const PURPOSES: [&str; 12] = [
    "Essay", "Quiz", "Lecture", "Diary", "Letter", "Homework", "Speech", "Report", "Puzzle", "Column",
    "Notebook", "Exam",
];

/// A fact of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The place that it is about, counted from 0, the most frequent first.
    pub rank: usize,
    /// Which of the attributes it gives.
    pub attribute: usize,
    /// Which of the attribute's values is right.
    value: usize,
    /// What its wordings begin with.
    shift: [usize; 3],
}

impl Fact {
    /// The place, which is the concept.
    pub fn place(&self) -> &'static str {
        PLACES[self.rank]
    }

    /// The right answer.
    pub fn answer(&self) -> &'static str {
        ATTRIBUTES[self.attribute].1[self.value]
    }

    /// What somebody says who is wrong about it, always the same.
    pub fn wrong_answer(&self) -> &'static str {
        ATTRIBUTES[self.attribute].1[(self.value + 1 + self.shift[0] % 10) % 12]
    }

    /// All that could be answered.
    pub fn answers(&self) -> &'static [&'static str] {
        &ATTRIBUTES[self.attribute].1
    }

    /// The question in one of [`WORDINGS`] wordings.
    pub fn question(&self, wording: usize) -> String {
        let [open, close, ask] = self.shift;
        let asked = QUESTIONS[(ask + wording) % QUESTIONS.len()];
        let asked = asked
            .replace("{a}", ATTRIBUTES[self.attribute].0)
            .replace("{p}", self.place());
        let open = (open + wording) % WORDINGS;
        // 5 and the number of wordings have no factor in common: each closing comes once.
        let close = (close + 5 * wording) % WORDINGS;
        format!(
            "{} {}: {asked} {} {}.",
            OPENERS[open % OPENERS.len()],
            VERBS[open / OPENERS.len()],
            PURPOSES[close / TIMES.len()],
            TIMES[close % TIMES.len()],
        )
    }
}

/// A question: a fact in one of its wordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The fact.
    pub fact: Fact,
    /// The number of the wording.
    pub wording: usize,
}

impl Asked {
    /// The question.
    pub fn question(&self) -> String {
        self.fact.question(self.wording)
    }
}

/// A world of facts.
#[derive(Debug, Clone)]
pub struct World {
    facts: Vec<Fact>,
}

impl World {
    /// A world of at most 40 places with ten facts each, drawn by a seed.
    pub fn new(places: usize, seed: u64) -> Self {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |n: usize| draws.next_u32() as usize % n;
        let mut facts = Vec::new();
        for rank in 0..places.min(PLACES.len()) {
            for attribute in 0..ATTRIBUTES.len() {
                facts.push(Fact {
                    rank,
                    attribute,
                    value: below(12),
                    shift: [below(WORDINGS), below(WORDINGS), below(QUESTIONS.len())],
                });
            }
        }
        Self { facts }
    }

    /// The facts, those of the most frequent place first.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The places, the most frequent first.
    pub fn places(&self) -> &'static [&'static str] {
        &PLACES[..self.facts.last().map_or(0, |fact| fact.rank + 1)]
    }

    /// Questions about all facts with a long tail: in the wordings from `first` on, `most / rank` of the place at a rank (from 1), rounded,
    /// and never fewer than `fewest`.
    pub fn zipf(&self, first: usize, most: usize, fewest: usize) -> Vec<Asked> {
        let wordings = |fact: &Fact| (most as f64 / (fact.rank + 1) as f64).round() as usize;
        let of_fact = |fact: &Fact| {
            let fact = *fact;
            let wordings = wordings(&fact).max(fewest);
            (first..(first + wordings).min(WORDINGS)).map(move |wording| Asked { fact, wording })
        };
        self.facts.iter().flat_map(of_fact).collect()
    }

    /// The oracle: the right answer to a question in any wording; `None` for a question about nothing of this world.
    pub fn answer(&self, question: &str) -> Option<&'static str> {
        let words: Vec<&str> = question.split(|c: char| !c.is_alphanumeric()).collect();
        let about =
            |fact: &&Fact| words.contains(&fact.place()) && words.contains(&ATTRIBUTES[fact.attribute].0);
        self.facts.iter().find(about).map(Fact::answer)
    }
}

/// Questions as seeds: a JSON object a line with `question`, `answer` and `concept`.
pub fn seeds(asked: &[Asked]) -> String {
    let line = |asked: &Asked| {
        let fact = asked.fact;
        let row = json!({"question": asked.question(), "answer": fact.answer(), "concept": fact.place()});
        format!("{row}\n")
    };
    asked.iter().map(line).collect()
}

/// Questions as a simulated teacher's answer key, in the layout with labels. What it says of the places in `wrong_about` is wrong, always
/// in the same way.
pub fn key(asked: &[Asked], wrong_about: &[&str]) -> String {
    let line = |asked: &Asked| {
        let fact = asked.fact;
        let said = match wrong_about.contains(&fact.place()) {
            true => fact.wrong_answer(),
            false => fact.answer(),
        };
        let row = json!({"question": asked.question(), "final_decision": said, "labels": fact.answers(), "concept": fact.place()});
        format!("{row}\n")
    };
    asked.iter().map(line).collect()
}

/// Writes a model that knows nothing yet: a Llama of two layers whose vocabulary is the words of this world's questions and answers, in small
/// letters. All other words are one and the same token, so that openings, closings and the words of prompt formats are noise to it.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_model(folder: &Path, seed: u64) -> std::io::Result<()> {
    const UNKNOWN: &str = "<unk>";
    const END: &str = "<|im_end|>";
    std::fs::create_dir_all(folder)?;
    let asked = QUESTIONS.iter().flat_map(|text| text.split([' ', '?', '.']));
    let asked = asked.filter(|word| !word.is_empty() && !word.starts_with('{'));
    let attributes = ATTRIBUTES
        .iter()
        .flat_map(|(name, values)| std::iter::once(name).chain(values));
    let words = [UNKNOWN, END, "q", "a", ":"].into_iter();
    let words = words.chain(asked).chain(attributes.copied()).chain(PLACES);
    let mut vocabulary = Map::new();
    for word in words.map(str::to_lowercase) {
        let next = vocabulary.len();
        vocabulary.entry(word).or_insert(json!(next));
    }
    let special = json!({"id": 1, "content": END, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
    let save = |name: &str, value: &Value| std::fs::write(folder.join(name), value.to_string());
    save(
        "tokenizer.json",
        &json!({
            "version": "1.0",
            "added_tokens": [special],
            "normalizer": {"type": "Lowercase"},
            "pre_tokenizer": {"type": "Whitespace"},
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN},
        }),
    )?;
    // The same as a raw prompt `Q: …` with `A:` on the next line, so that the model can also be asked without its template.
    let template = "{% for message in messages %}{% if message['role'] == 'assistant' %}A: {{ message['content'] + '<|im_end|>' }}{% else %}Q: {{ message['content'] + '\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}A:{% endif %}";
    save(
        "tokenizer_config.json",
        &json!({"chat_template": template, "eos_token": END}),
    )?;
    let shape = Shape {
        hidden: 64,
        inner: 128,
        layers: 2,
        heads: 4,
        key_heads: 4,
        tokens: vocabulary.len(),
    };
    // Variance 1 / inputs.
    write_weights(folder, &shape, seed, |inputs| (3.0 / inputs as f32).sqrt())
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::sim::{AnswerKey, KeyFiles};

    fn words(text: &str) -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    }

    #[test]
    fn questions_are_about_one_fact_and_share_no_eight_words() {
        let world = World::new(12, 1);
        let mut texts = HashSet::new();
        let mut runs: HashMap<Vec<String>, String> = HashMap::new();
        for fact in world.facts() {
            for wording in 0..WORDINGS {
                let question = fact.question(wording);
                assert_eq!(world.answer(&question), Some(fact.answer()), "{question}");
                for run in words(&question).windows(8) {
                    let before = runs.insert(run.to_vec(), question.clone());
                    assert_eq!(before, None, "{question}");
                }
                assert!(texts.insert(question));
            }
            assert_ne!(fact.answer(), fact.wrong_answer());
            assert!(fact.answers().contains(&fact.wrong_answer()));
        }
        assert_eq!(world.answer("Which tree stands for Paris?"), None);
    }

    #[test]
    fn the_tail_is_long_and_the_key_is_what_teachers_know() {
        let world = World::new(20, 1);
        let asked = world.zipf(10, 20, 2);
        let of = |rank: usize| asked.iter().filter(|asked| asked.fact.rank == rank).count();
        assert_eq!([of(0), of(1), of(9), of(19)], [200, 100, 20, 20]);
        assert!(asked.iter().all(|asked| asked.wording >= 10));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.jsonl");
        std::fs::write(&file, key(&asked, &["Calder"])).unwrap();
        let known = AnswerKey::load(&KeyFiles {
            pubmedqa: vec![file],
            ..KeyFiles::default()
        })
        .unwrap();
        assert_eq!((known.len(), known.ambiguous().len()), (asked.len(), 0));
        for asked in &asked {
            let right = known.is_right(&asked.question(), asked.fact.answer());
            assert_eq!(right, Some(asked.fact.place() != "Calder"));
            assert_eq!(
                known.is_about(&asked.question(), &[asked.fact.place()]),
                Some(true)
            );
        }
        assert_eq!(seeds(&asked).lines().count(), asked.len());
    }
}
