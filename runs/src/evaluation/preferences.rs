//! What the votes on an evaluation's answers come to: by pair of models, as a whole and by parts of the set, and how they agree with the grades.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use gristmill_domain::stats::holm;
use gristmill_domain::words::{many, thousands};
use gristmill_evaluation::{Confidence, GradeAgreement, PairVote, Preference, Preferred};
use gristmill_picture::evaluation::Part;
use gristmill_picture::parts::{IntervalRow, Intervals, Table};

use super::arena::Arena;
use super::grading::StoredAnswer;
use super::items::StoredItem;
use super::votes::{Choice, Place, StoredVotes, Vote};
use super::words::{p_value, percent, range};

/// What votes come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preferences {
    /// Pairs of models that somebody voted on, in the order of the models.
    pub pairs: Vec<PairPreference>,
    /// Votes that count.
    pub votes: u64,
    /// How many of them each voter gave, in the order of their names.
    pub voters: Vec<(String, u64)>,
    /// Those of them that replaced an earlier one of the same voter, who knew by then whose the answers are.
    pub revised: u64,
    /// Votes on answers that the evaluation does not have any more.
    pub outdated: u64,
    /// Lines that are damaged and count for nothing, each with what is wrong.
    pub damaged: Vec<String>,
}

/// What votes on two models come to.
#[derive(Debug, Clone, PartialEq)]
pub struct PairPreference {
    /// Names of the models.
    pub models: [String; 2],
    /// On all questions.
    pub overall: Preference,
    /// By the parts of the set, such as `concept`: the parts' names, what votes on them come to, and the p-values adjusted for all parts (Holm 1979).
    pub parts: BTreeMap<String, Vec<(String, Preference, f64)>>,
    /// How votes agree with the grades.
    pub agreement: GradeAgreement,
}

/// Counts votes.
pub fn preferences(arena: &Arena, stored: &StoredVotes) -> Preferences {
    let mut last: Vec<&Vote> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    for vote in &stored.votes {
        match places.entry(vote.contest()) {
            Entry::Occupied(known) => last[*known.get()] = vote,
            Entry::Vacant(new) => {
                new.insert(last.len());
                last.push(vote);
            }
        }
    }
    let voted = last.iter().filter_map(|vote| Voted::of(arena, vote));
    let counted: Vec<Voted<'_>> = voted.collect();
    let mut voters: BTreeMap<&str, u64> = BTreeMap::new();
    for voted in &counted {
        *voters.entry(&voted.vote.voter).or_default() += 1;
    }
    Preferences {
        pairs: pairs(arena, &counted),
        votes: counted.len() as u64,
        voters: voters
            .into_iter()
            .map(|(name, votes)| (name.to_owned(), votes))
            .collect(),
        revised: counted.iter().filter(|voted| voted.vote.revised).count() as u64,
        outdated: (last.len() - counted.len()) as u64,
        damaged: stored.damaged.clone(),
    }
}

/// A vote with the question and the answers that it is on.
struct Voted<'a> {
    vote: &'a Vote,
    item: &'a StoredItem,
    answers: HashMap<&'a str, &'a StoredAnswer>,
}

impl<'a> Voted<'a> {
    /// `None` where the evaluation has other answers now.
    fn of(arena: &'a Arena, vote: &'a Vote) -> Option<Self> {
        let (item, answers) = arena.voted(vote)?;
        Some(Self { vote, item, answers })
    }
}

/// A vote on two answers, with the parts of the set that their question belongs to.
struct Counted {
    vote: PairVote,
    parts: BTreeMap<String, String>,
}

fn pairs(arena: &Arena, votes: &[Voted<'_>]) -> Vec<PairPreference> {
    let names: Vec<&str> = arena.models().iter().map(|(name, _)| name.as_str()).collect();
    let both = names
        .iter()
        .enumerate()
        .flat_map(|(at, first)| names[at + 1..].iter().map(move |second| [*first, *second]));
    both.filter_map(|pair| of_pair(votes, pair)).collect()
}

fn of_pair(votes: &[Voted<'_>], pair: [&str; 2]) -> Option<PairPreference> {
    // A vote on three answers may say of two of them what one on these two alone says: the later one counts.
    let mut last: BTreeMap<Place<'_>, (u64, Counted)> = BTreeMap::new();
    for voted in votes {
        let Some(counted) = on_pair(voted, pair) else {
            continue;
        };
        let (place, at_ms) = (voted.vote.place(), voted.vote.at_ms);
        let known = last.get(&place).map(|(at, _)| *at);
        if known.is_none_or(|at| at <= at_ms) {
            last.insert(place, (at_ms, counted));
        }
    }
    let all: Vec<Counted> = last.into_values().map(|(_, counted)| counted).collect();
    let confidence = Confidence::default();
    let of: Vec<PairVote> = all.iter().map(|counted| counted.vote.clone()).collect();
    let overall = Preference::of(&of, confidence)?;
    Some(PairPreference {
        models: pair.map(str::to_owned),
        overall,
        parts: parts(&all, confidence),
        agreement: GradeAgreement::of(&of, confidence),
    })
}

/// What a vote says of two answers: of three answers, a vote for one of them says nothing of the other two.
fn on_pair(voted: &Voted<'_>, pair: [&str; 2]) -> Option<Counted> {
    let Voted { vote, item, answers } = voted;
    let [first, second] = pair.map(|model| answers.get(model));
    let (first, second) = (first?, second?);
    let preferred = match &vote.choice {
        Choice::Tie => Preferred::Tie,
        Choice::Bad => Preferred::BothBad,
        Choice::Best(model) if model == pair[0] => Preferred::First,
        Choice::Best(model) if model == pair[1] => Preferred::Second,
        Choice::Best(_) => return None,
    };
    let mut parts = item.slices.clone();
    parts.insert("format".to_owned(), vote.prompt_format.clone());
    Some(Counted {
        vote: PairVote {
            item: item.item.clone(),
            source: item.source.clone(),
            preferred,
            correct: [first, second].map(|answer| answer.graded.grade.is_correct()),
        },
        parts,
    })
}

fn parts(all: &[Counted], confidence: Confidence) -> BTreeMap<String, Vec<(String, Preference, f64)>> {
    let keys: BTreeSet<&String> = all.iter().flat_map(|counted| counted.parts.keys()).collect();
    let mut found = BTreeMap::new();
    for key in keys {
        let mut votes: BTreeMap<&str, Vec<PairVote>> = BTreeMap::new();
        for counted in all {
            if let Some(part) = counted.parts.get(key) {
                votes.entry(part).or_default().push(counted.vote.clone());
            }
        }
        if votes.len() < 2 {
            continue;
        }
        let each: Vec<(String, Preference)> = votes
            .into_iter()
            .filter_map(|(part, votes)| Some((part.to_owned(), Preference::of(&votes, confidence)?)))
            .collect();
        let p_values: Vec<f64> = each.iter().map(|(_, found)| found.p_value).collect();
        let adjusted = each.into_iter().zip(holm(&p_values));
        let adjusted = adjusted.map(|((part, found), p)| (part, found, p));
        found.insert(key.clone(), adjusted.collect());
    }
    found
}

impl PairPreference {
    /// Who is preferred, in a sentence.
    pub fn told(&self) -> String {
        let [first, second] = &self.models;
        let found = &self.overall;
        let says = if found.interval.low > 0.5 {
            format!("{first} is preferred to {second}")
        } else if found.interval.high < 0.5 {
            format!("{second} is preferred to {first}")
        } else {
            format!("No preference between {first} and {second} is shown")
        };
        format!(
            "{says}: {} of {} for {first} ({}), ties as halves.",
            percent(found.share),
            many(found.votes, "vote"),
            range(found.interval)
        )
    }

    /// The share of the votes for the first model, as a whole and by concept.
    pub fn whole(&self) -> Part {
        let row = row("all questions".to_owned(), &self.overall, self.overall.p_value);
        self.part(
            "overall".to_owned(),
            "The line in the middle is no preference.",
            vec![row],
        )
    }

    /// The same by the parts of the set; where it is surest that the first model is not preferred comes first.
    pub fn by_part(&self) -> Vec<Part> {
        let each = self.parts.iter().map(|(key, parts)| {
            let mut parts: Vec<_> = parts.iter().collect();
            parts.sort_by(|a, b| a.1.interval.high.total_cmp(&b.1.interval.high));
            let rows = parts
                .into_iter()
                .map(|(name, found, p)| row(name.clone(), found, *p));
            self.part(
                key.clone(),
                "p-values are adjusted for the number of parts.",
                rows.collect(),
            )
        });
        each.collect()
    }

    fn part(&self, name: String, note: &str, rows: Vec<IntervalRow>) -> Part {
        let [first, second] = &self.models;
        Part {
            name,
            intervals: Intervals {
                of: format!("Share of votes for {first}, from 0 to 100 %. {note}"),
                heads: [
                    "share",
                    "95 % interval",
                    "p",
                    &format!("for {first}"),
                    &format!("for {second}"),
                    "ties",
                    "both bad",
                    "votes",
                ]
                .map(str::to_owned)
                .into(),
                zero: 0.5,
                rows,
            },
        }
    }

    /// How votes agree with the grades, in a sentence.
    pub fn agreement_told(&self) -> String {
        let Some(decided) = &self.agreement.decided else {
            return "No vote chose between a right and a wrong answer, so that votes and grades cannot be compared.".to_owned();
        };
        let kappa = match self.agreement.kappa {
            Some(kappa) => format!(" Over all votes, Cohen's κ is {kappa:.2}."),
            None => String::new(),
        };
        format!(
            "Of {} that chose between an answer graded right and one that is not, {} chose the right one: {} ({}).{kappa}",
            many(decided.of, "vote"),
            thousands(decided.count),
            percent(decided.value),
            range(decided.interval)
        )
    }

    /// Votes by what the grades say of the two answers.
    pub fn agreement_table(&self) -> Table {
        let [first, second] = &self.models;
        let names = [
            format!("for {first}"),
            "tie or both bad".to_owned(),
            format!("for {second}"),
        ];
        let rows = names.into_iter().zip(self.agreement.table).map(|(name, counts)| {
            std::iter::once(name)
                .chain(counts.into_iter().map(thousands))
                .collect()
        });
        Table {
            heads: vec![
                "vote".to_owned(),
                format!("only {first} right"),
                "graded alike".to_owned(),
                format!("only {second} right"),
            ],
            rows: rows.collect(),
        }
    }
}

fn row(name: String, found: &Preference, p: f64) -> IntervalRow {
    IntervalRow {
        name,
        low: found.interval.low,
        value: found.share,
        high: found.interval.high,
        cells: vec![
            percent(found.share),
            range(found.interval),
            p_value(p),
            thousands(found.wins),
            thousands(found.losses),
            thousands(found.ties),
            thousands(found.both_bad),
            thousands(found.votes),
        ],
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::job::EvaluatedRole;
    use gristmill_proto::FormatVersion;

    use super::super::arena::tests::arena;
    use super::super::votes::answer_hash;
    use super::*;

    const MODELS: [&str; 3] = ["weak", "base", "strong"];

    /// The strong model is right, the others are not.
    fn three() -> Arena {
        let roles = [
            EvaluatedRole::Student,
            EvaluatedRole::Base,
            EvaluatedRole::Teacher,
        ];
        let models: Vec<_> = MODELS.into_iter().zip(roles).collect();
        arena(&models, 6, reply)
    }

    fn reply(item: usize, model: usize) -> String {
        match model {
            2 => item.to_string(),
            other => format!("{item} of {other}"),
        }
    }

    fn vote(voter: &str, item: usize, models: &[usize], choice: Choice, at_ms: u64) -> Vote {
        Vote {
            format: FormatVersion,
            at_ms,
            voter: voter.to_owned(),
            item: format!("item-{item}"),
            prompt_format: "plain".to_owned(),
            answers: models
                .iter()
                .map(|model| (MODELS[*model].to_owned(), answer_hash(&reply(item, *model))))
                .collect(),
            choice,
            revised: false,
        }
    }

    fn best(model: usize) -> Choice {
        Choice::Best(MODELS[model].to_owned())
    }

    fn counted(votes: Vec<Vote>) -> Preferences {
        let stored = StoredVotes {
            votes,
            damaged: Vec::new(),
        };
        preferences(&three(), &stored)
    }

    fn pair<'a>(found: &'a Preferences, first: &str, second: &str) -> &'a PairPreference {
        let mut pairs = found.pairs.iter();
        pairs.find(|pair| pair.models == [first, second]).unwrap()
    }

    #[test]
    fn the_best_of_three_is_better_than_each_and_the_others_are_not_compared() {
        let votes = (0..4).map(|item| vote("ann", item, &[0, 1, 2], best(2), 1));
        let found = counted(votes.collect());
        assert_eq!((found.votes, found.pairs.len()), (4, 2));
        let [against_student, against_base] =
            [("weak", "strong"), ("base", "strong")].map(|(a, b)| pair(&found, a, b));
        for pair in [against_student, against_base] {
            assert_eq!((pair.overall.wins, pair.overall.losses), (0, 4));
            let agreement = pair.agreement.decided.unwrap();
            assert_eq!((agreement.count, agreement.of), (4, 4));
        }
        let parts = &against_student.parts["concept"];
        assert_eq!(parts.len(), 2, "{parts:?}");
        assert!(
            !against_student.parts.contains_key("format"),
            "all votes are on one format"
        );
    }

    #[test]
    fn the_last_vote_of_a_voter_counts_and_one_on_other_answers_does_not() {
        let mut changed = vote("ann", 0, &[0, 1], best(1), 2);
        changed.revised = true;
        let mut other = vote("bob", 1, &[0, 1], best(0), 1);
        other
            .answers
            .insert("weak".to_owned(), answer_hash("something else"));
        let votes = vec![
            vote("ann", 0, &[0, 1], best(0), 1),
            vote("bob", 0, &[0, 1], Choice::Tie, 1),
            other,
            changed,
        ];
        let found = counted(votes);
        assert_eq!((found.votes, found.revised, found.outdated), (2, 1, 1));
        assert_eq!(found.voters, [("ann".to_owned(), 1), ("bob".to_owned(), 1)]);
        let overall = pair(&found, "weak", "base").overall;
        assert_eq!((overall.wins, overall.losses, overall.ties), (0, 1, 1));
        assert_eq!(overall.clusters, 1, "two votes on one question");
    }

    #[test]
    fn of_what_one_says_of_two_answers_in_several_contests_the_last_counts() {
        let votes = |triple_at, pair_at| {
            vec![
                vote("ann", 0, &[0, 1, 2], best(0), triple_at),
                vote("ann", 0, &[0, 1], Choice::Bad, pair_at),
            ]
        };
        for (triple_at, pair_at, wanted) in [(1, 2, (0, 1)), (2, 1, (1, 0))] {
            let found = counted(votes(triple_at, pair_at));
            let overall = pair(&found, "weak", "base").overall;
            assert_eq!((overall.wins, overall.both_bad), wanted);
        }
    }

    #[test]
    fn what_is_not_shown_is_not_said() {
        let found = counted(vec![vote("ann", 0, &[0, 2], best(2), 1)]);
        let told = pair(&found, "weak", "strong").told();
        assert!(
            told.starts_with("No preference between weak and strong is shown"),
            "{told}"
        );
        let many = (0..6).flat_map(|item| ["ann", "bob"].map(|voter| vote(voter, item, &[0, 2], best(2), 1)));
        let found = counted(many.collect());
        let told = pair(&found, "weak", "strong").told();
        assert!(
            told.starts_with("strong is preferred to weak: 0.0 % of 12 votes for weak"),
            "{told}"
        );
    }
}
