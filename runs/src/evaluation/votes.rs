//! The file of votes on an evaluation's answers: one JSON line a vote, only ever appended to.
//!
//! It is beside the folder of the result, which is replaced whole when the result is made again. A vote that was stored is on the disk. A crash may leave
//! a damaged last line; the next vote begins a line of its own, and the damaged one counts for nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context;
use gristmill_domain::id::ContentId;
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

/// The file of votes in a run's folder.
pub const VOTES_FILE: &str = "votes.jsonl";

/// What a person says of answers that were shown side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The answer of this model is the best.
    Best(String),
    /// The answers are equally good.
    Tie,
    /// All of them are bad.
    Bad,
}

/// A vote on the answers to one question in one prompt format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Version of this format.
    #[serde(default)]
    pub format: FormatVersion<1>,
    /// When it was given, Unix milliseconds.
    pub at_ms: u64,
    /// Who gave it.
    pub voter: String,
    /// Id of the item.
    pub item: String,
    /// Prompt format that the item was asked in.
    pub prompt_format: String,
    /// The answers that were shown: a hash of each by its model. A vote on another answer does not count.
    pub answers: BTreeMap<String, String>,
    /// What it says.
    pub choice: Choice,
    /// The voter had voted on these answers before, and had been told whose they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revised: bool,
}

impl Vote {
    /// Who voted on which question, in which format.
    pub(super) fn place(&self) -> Place<'_> {
        (&self.voter, &self.item, &self.prompt_format)
    }

    /// The same with the models whose answers the vote is on: of two votes that have it in common, the later one replaces the other.
    pub(super) fn contest(&self) -> (Place<'_>, Vec<&str>) {
        (self.place(), self.answers.keys().map(String::as_str).collect())
    }
}

/// The voter of a vote, the item and its prompt format.
pub(super) type Place<'a> = (&'a str, &'a str, &'a str);

/// The hash by which a vote names an answer.
pub fn answer_hash(reply: &str) -> String {
    ContentId::of(&[b"answer", reply.as_bytes()]).to_string()
}

/// What a file of votes holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredVotes {
    /// The votes, in their order.
    pub votes: Vec<Vote>,
    /// What is wrong with each line that is damaged and counts for nothing.
    pub damaged: Vec<String>,
}

/// Reads the votes in a run's folder; none where nobody voted.
///
/// # Errors
/// A file that cannot be read.
pub fn read_votes(run: &Path) -> anyhow::Result<StoredVotes> {
    let path = run.join(VOTES_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(StoredVotes::default()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let mut stored = StoredVotes::default();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(vote) => stored.votes.push(vote),
            Err(error) => stored
                .damaged
                .push(format!("{}:{}: {error}", path.display(), number + 1)),
        }
    }
    Ok(stored)
}

/// Appends a vote to the file in a run's folder. It is on the disk when this returns.
///
/// # Errors
/// A file that cannot be written: whether the vote is stored is then not known, and sending it again is safe.
pub fn store_vote(run: &Path, vote: &Vote) -> anyhow::Result<()> {
    let path = run.join(VOTES_FILE);
    append(run, &path, vote).with_context(|| format!("{} cannot be written", path.display()))
}

fn append(run: &Path, path: &Path, vote: &Vote) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    // Two processes may show one evaluation.
    file.lock()?;
    let mut line = Vec::new();
    let before = file.metadata()?.len();
    if before == 0 {
        // The name of a new file is durable once its folder is.
        File::open(run)?.sync_all()?;
    } else {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.push(b'\n');
        }
    }
    serde_json::to_writer(&mut line, vote)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(voter: &str, choice: Choice) -> Vote {
        Vote {
            format: FormatVersion,
            at_ms: 1,
            voter: voter.to_owned(),
            item: "ab12".to_owned(),
            prompt_format: "plain".to_owned(),
            answers: ["weak", "strong"]
                .map(|model| (model.to_owned(), answer_hash(model)))
                .into(),
            choice,
            revised: false,
        }
    }

    #[test]
    fn a_vote_that_was_cut_off_by_a_crash_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        assert_eq!(read_votes(run).unwrap(), StoredVotes::default());
        let votes = [
            vote("ann", Choice::Best("weak".to_owned())),
            vote("bob", Choice::Tie),
        ];
        store_vote(run, &votes[0]).unwrap();
        let whole = std::fs::read(run.join(VOTES_FILE)).unwrap();
        // Whatever part of a line reached the disk.
        for part in 1..whole.len() {
            let torn = [&whole[..], &whole[..part]].concat();
            std::fs::write(run.join(VOTES_FILE), &torn).unwrap();
            let stored = read_votes(run).unwrap();
            assert_eq!(stored.votes[0], votes[0]);
            // All but its line end is a whole vote.
            assert_eq!(stored.votes.len() + stored.damaged.len(), 2);
            store_vote(run, &votes[1]).unwrap();
            let stored = read_votes(run).unwrap();
            assert_eq!(stored.votes.first(), Some(&votes[0]));
            assert_eq!(stored.votes.last(), Some(&votes[1]));
            let wanted = usize::from(part < whole.len() - 1);
            assert_eq!(stored.damaged.len(), wanted, "{:?}", stored.damaged);
        }
    }

    #[test]
    fn votes_are_read_back_and_those_of_a_newer_program_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (tie, bad) = (vote("ann", Choice::Tie), vote("ann", Choice::Bad));
        store_vote(folder.path(), &tie).unwrap();
        store_vote(folder.path(), &bad).unwrap();
        let path = folder.path().join(VOTES_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""choice":"tie""#), "{text}");
        std::fs::write(&path, text.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
        let stored = read_votes(folder.path()).unwrap();
        assert_eq!(stored.votes, std::slice::from_ref(&bad));
        assert!(
            stored.damaged[0].contains("votes.jsonl:1: "),
            "{:?}",
            stored.damaged
        );
        assert!(
            stored.damaged[0].contains("newer Gristmill"),
            "{:?}",
            stored.damaged
        );
        assert_eq!(bad.contest(), tie.contest());
        assert_ne!(vote("bob", Choice::Tie).contest(), tie.contest());
    }
}
