//! `rows.csv`: content hash, origin, first generation and repetitions of each training row of a generation, in the order of hashes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use gristmill_dataset::Origin;
use gristmill_domain::id::ContentId;

use crate::error::Error;

/// Its name in the generation's folder.
pub(crate) const NAME: &str = "rows.csv";
const HEAD: &str = "hash,origin,generation,repeats";

/// A training row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    /// Its content.
    pub(crate) row: ContentId,
    /// Real rows first.
    pub(crate) synthetic: bool,
    /// The generation in which it entered the lineage.
    pub(crate) generation: u32,
    /// How often it stands in the training set.
    pub(crate) repeats: u32,
}

/// The file of these rows.
pub(crate) fn text(mut members: Vec<Member>) -> String {
    members.sort_unstable();
    let mut text = format!("{HEAD}\n");
    for member in members {
        let origin = match member.synthetic {
            true => Origin::Synthetic,
            false => Origin::Human,
        };
        text.push_str(&format!(
            "{},{},{},{}\n",
            member.row,
            origin.name(),
            member.generation,
            member.repeats
        ));
    }
    text
}

/// Calls `take` with each row of a generation's folder.
pub(crate) fn each(folder: &Path, mut take: impl FnMut(Member)) -> Result<(), Error> {
    let path = folder.join(NAME);
    let file = File::open(&path).map_err(Error::io(&path))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(Error::io(&path))?;
        if number == 0 && line == HEAD {
            continue;
        }
        let member = member(&line).ok_or_else(|| {
            Error::damaged(
                &path,
                format!("line {}: `{line}` is not a row of `{HEAD}`", number + 1),
            )
        })?;
        take(member);
    }
    Ok(())
}

fn member(line: &str) -> Option<Member> {
    let mut parts = line.split(',');
    let (row, origin, generation, repeats) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Member {
        row: row.parse().ok()?,
        synthetic: match origin {
            "human" => false,
            "synthetic" => true,
            _ => return None,
        },
        generation: generation.parse().ok()?,
        repeats: repeats.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_the_order_of_their_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let member = |text: &str, synthetic: bool| Member {
            row: ContentId::of(&[text.as_bytes()]),
            synthetic,
            generation: 2,
            repeats: 3,
        };
        let members = vec![member("a", true), member("b", false), member("c", true)];
        std::fs::write(folder.path().join(NAME), text(members.clone())).unwrap();
        let mut read = Vec::new();
        each(folder.path(), |member| read.push(member)).unwrap();
        let mut sorted = members;
        sorted.sort();
        assert_eq!(read, sorted);
        std::fs::write(folder.path().join(NAME), format!("{HEAD}\nx,human,1,1\n")).unwrap();
        let told = each(folder.path(), |_| ()).unwrap_err().to_string();
        assert!(told.contains("rows.csv") && told.contains("line 2"), "{told}");
    }
}
