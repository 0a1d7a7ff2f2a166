//! What an address of the arena asks for: who votes, on which models' answers, of which evaluation.

use gristmill_domain::near::nearest;
use gristmill_runs::evaluation::{Arena, MODELS_MAX};

use super::rows_asked::{Pairs, address};
use crate::app::App;
use crate::page::Kind;
use crate::source::{Refusal, Who};

/// The longest name of a voter, characters.
const VOTER_CHARS_MAX: usize = 64;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ArenaAsked {
    /// Who votes; empty where nobody said.
    pub(super) voter: String,
    /// Whether the address says who votes. Where visitors are known by name, it does not.
    named_by_address: bool,
    /// Places of the models whose answers are shown; empty where nobody chose.
    models: Vec<usize>,
    /// The question that was shown before: its item and format.
    pub(super) after: Option<(String, String)>,
}

impl ArenaAsked {
    /// Reads an address. `known` is the name under which the visitor votes, where visitors are known by name.
    ///
    /// # Errors
    /// A parameter that nobody knows; a name or a model that cannot be.
    pub(super) fn read(pairs: &Pairs, known: Option<String>) -> Result<Self, Refusal> {
        let mut asked = Self {
            named_by_address: known.is_none(),
            voter: known.unwrap_or_default(),
            ..Self::default()
        };
        let (mut item, mut format) = (None, None);
        for (name, value) in pairs {
            match name.as_str() {
                // Nobody votes under another name than their own.
                "voter" if !asked.named_by_address => {}
                "voter" => asked.voter = voter(value)?,
                "m" => {
                    let place = value.parse().map_err(|_| {
                        Refusal::bad_request(format!("`{value}` is not the number of a model."))
                    })?;
                    asked.models.push(place);
                }
                "item" => item = Some(value.clone()),
                "format" => format = Some(value.clone()),
                other => {
                    let near = nearest(other, ["voter", "m", "item", "format"]);
                    let meant = near.map_or_else(String::new, |near| format!(" Did you mean `{near}`?"));
                    return Err(Refusal::bad_request(format!(
                        "The arena has no parameter `{other}`.{meant}"
                    )));
                }
            }
        }
        asked.models.sort_unstable();
        asked.models.dedup();
        asked.after = item.zip(format);
        Ok(asked)
    }

    /// The models whose answers are shown.
    ///
    /// # Errors
    /// Too few or too many models, and models that there are not.
    pub(super) fn models(&self, arena: &Arena) -> Result<Vec<usize>, Refusal> {
        if self.models.is_empty() {
            return Ok(arena.usual());
        }
        if let Some(unknown) = self.models.iter().find(|place| **place >= arena.models().len()) {
            return Err(Refusal::bad_request(format!("There is no model {unknown}.")));
        }
        match self.models.len() {
            2..=MODELS_MAX => Ok(self.models.clone()),
            chosen => Err(Refusal::bad_request(format!(
                "{chosen} models were chosen: two or three are shown side by side."
            ))),
        }
    }

    /// The address of a page of a run's arena with who votes on which models.
    pub(super) fn address(&self, run: &str, page: &str, models: &[usize]) -> String {
        address(run, page, &self.pairs(models))
    }

    /// The address that leads to the question after another one.
    pub(super) fn after(&self, run: &str, models: &[usize], (item, format): (&str, &str)) -> String {
        let mut pairs = self.pairs(models);
        pairs.extend([("item", item.to_owned()), ("format", format.to_owned())]);
        address(run, "arena/next", &pairs)
    }

    fn pairs(&self, models: &[usize]) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if self.named_by_address && !self.voter.is_empty() {
            pairs.push(("voter", self.voter.clone()));
        }
        pairs.extend(models.iter().map(|place| ("m", place.to_string())));
        pairs
    }

    /// Whether the visitor says who they are.
    pub(super) fn names_itself(&self) -> bool {
        self.named_by_address
    }
}

/// Refuses a run whose answers are not voted on, since it makes rows.
///
/// # Errors
/// Such a run; an unknown one.
pub(super) async fn check_evaluates(app: &App, who: Who, run: &str) -> Result<(), Refusal> {
    let source = app.source.as_ref();
    if app.evaluations.kind(source, who, run).await == Kind::Evaluation {
        return Ok(());
    }
    // A run that is not known is refused here.
    source.run(who, run).await?;
    Err(Refusal::not_found(format!(
        "Run {run} makes rows: answers are voted on where an evaluation asked models (`gristmill eval`)."
    )))
}

fn voter(text: &str) -> Result<String, Refusal> {
    let name = text.trim();
    let plain = name.chars().all(|c| c.is_alphanumeric() || " -_.@+'".contains(c));
    match plain && name.chars().count() <= VOTER_CHARS_MAX {
        true => Ok(name.to_owned()),
        false => Err(Refusal::bad_request(format!(
            "A voter's name has letters, digits, spaces and `-_.@+'`, and at most {VOTER_CHARS_MAX} characters."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Pairs {
        all.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn nobody_votes_under_a_name_that_is_not_theirs() {
        let asked = ArenaAsked::read(&pairs(&[("voter", "bob"), ("m", "2"), ("m", "0")]), None).unwrap();
        assert_eq!(asked.voter, "bob");
        assert_eq!(
            asked.address("27d5", "arena", &[0, 2]),
            "/runs/27d5/arena?voter=bob&m=0&m=2"
        );
        let known = ArenaAsked::read(&pairs(&[("voter", "bob")]), Some("ann".to_owned())).unwrap();
        assert_eq!(known.voter, "ann");
        assert_eq!(known.address("27d5", "arena", &[0]), "/runs/27d5/arena?m=0");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_was_meant() {
        for (wrong, says) in [
            (("vote", "bob"), "`voter`"),
            (("m", "x"), "not the number"),
            (("voter", "a<b"), "letters"),
        ] {
            let refused = ArenaAsked::read(&pairs(&[wrong]), None).unwrap_err();
            assert!(refused.text.contains(says), "{}", refused.text);
        }
    }
}
