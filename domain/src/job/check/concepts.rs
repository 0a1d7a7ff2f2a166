//! The concepts' part.

use super::Report;
use crate::job::concepts::{NO_CONCEPT, folded, wrong};
use crate::job::{Assign, Concepts, EmbedSource, Job, StrategyChoice};

/// Concepts that a model chooses from, at most: a prompt of some thousand tokens.
const CHOICES_MAX: u32 = 64;

impl Job {
    pub(super) fn check_concepts(&self, concepts: &Concepts, report: &mut Report) {
        let given = [
            concepts.file.is_some(),
            !concepts.list.is_empty(),
            concepts.found.is_some(),
        ];
        report.when(
            given.iter().filter(|given| **given).count() != 1,
            "concepts",
            "the concepts come from one place: a file, a list, or the data",
            "set exactly one of `concepts.file`, `concepts.list` and `concepts.found`",
        );
        for wrong in wrong(&concepts.list) {
            let path = format!("concepts.list.{}.{}", wrong.at, wrong.key);
            report.when(true, path, wrong.message, wrong.help);
        }
        report.when(
            concepts
                .found
                .is_some_and(|clusters| !(2..=1_000).contains(&clusters)),
            "concepts.found",
            format!("{} clusters", concepts.found.unwrap_or_default()),
            "give a number from 2 to 1,000",
        );
        report.when(
            concepts.target.is_some_and(|target| target > 1_000_000),
            "concepts.target",
            format!("{} rows of each concept", concepts.target.unwrap_or_default()),
            "give at most 1,000,000",
        );
        report.share("concepts.confidence", concepts.confidence);
        report.share("concepts.min_gain", concepts.min_gain);
        report.share("concepts.max_uncovered", concepts.max_uncovered);
        report.at_least("concepts.covered_from", concepts.covered_from, 1);
        let embeds = self.embed.source() != EmbedSource::Off;
        report.when(
            !embeds
                && (concepts.assign == Assign::Embedding || concepts.found.is_some() && concepts.by_model()),
            "concepts.assign",
            "rows are assigned by embedding, and nothing is embedded",
            "set `embed.model`, or `concepts.assign: labels`",
        );
        report.when(
            concepts.assign == Assign::Labels && concepts.found.is_some(),
            "concepts.assign",
            "no row carries the label of a cluster that is found in the data",
            "leave `concepts.assign` out",
        );
        report.when(
            concepts.assign == Assign::Labels && self.seeds.fields.concept.is_none(),
            "concepts.assign",
            "rows are assigned by their labels, and the seeds have none",
            "name the labels' column in `seeds.fields.concept`, or leave `concepts.assign` out",
        );
        self.check_choices(concepts, report);
        let fills = |strategy| match strategy {
            StrategyChoice::Auto | StrategyChoice::Rephrasing => true,
            StrategyChoice::NewQuestion => concepts.assign != Assign::Labels,
            StrategyChoice::AnswerAugmentation => false,
        };
        report.when(
            concepts.steer && concepts.wants_rows() && !fills(self.generate.strategy),
            "generate.strategy",
            "this strategy alone cannot fill a concept's target",
            "leave it out, or set `concepts.steer: false` to count only",
        );
    }

    /// What a model needs to say which concept a question is about.
    fn check_choices(&self, concepts: &Concepts, report: &mut Report) {
        let by_model = concepts.by_model();
        report.when(
            by_model
                && matches!(
                    self.generate.strategy,
                    StrategyChoice::AnswerAugmentation | StrategyChoice::Rephrasing
                ),
            "concepts.assign",
            "a model says what new questions are about, and none are asked",
            "leave it out, or leave `generate.strategy` out",
        );
        report.when(
            !(2..=CHOICES_MAX).contains(&concepts.choices),
            "concepts.choices",
            format!("a choice of {} concepts", concepts.choices),
            "give a number from 2 to 64",
        );
        report.when(
            !by_model && concepts.choices != Concepts::default().choices,
            "concepts.choices",
            "no model chooses between concepts",
            "leave it out, or set `concepts.assign: model`",
        );
        report.when(
            by_model
                && self.embed.source() == EmbedSource::Off
                && concepts.leaves().count() > concepts.choices as usize,
            "concepts.choices",
            "a model is shown the concepts nearest to a question, and nothing is embedded",
            "set `embed.model`, or as many choices as there are concepts",
        );
        report.when(
            by_model
                && concepts
                    .leaves()
                    .any(|concept| folded(&concept.name) == NO_CONCEPT),
            "concepts.list",
            "a concept is called `none`, which is what a model says of a question about none of them",
            "give it another name",
        );
        report.when(
            !by_model && self.generate.prompts.contains_key(crate::recipe::CONCEPT_PROMPT),
            "generate.prompts.assign",
            "no model is asked which concept a question is about",
            "leave it out, or set `concepts.assign: model`",
        );
    }
}
