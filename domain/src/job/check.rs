//! What no single value can show: contradictions, numbers out of range, settings that would do nothing.

mod concepts;
mod models;
mod student;

use super::models::teacher_path;
use super::{Agreement, Job, JudgeWhen, StrategyChoice};
use crate::filter::Kind;
use crate::validator::Comparison;

/// Something wrong with a job, at a key path such as `teacher.0.price`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, its parts joined by dots; list items by their index.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// Problems found so far.
#[derive(Debug, Default)]
pub struct Report(Vec<Problem>);

impl Report {
    /// Adds a problem where something is wrong.
    pub fn when(
        &mut self,
        wrong: bool,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if wrong {
            self.0.push(Problem {
                path: path.into(),
                message: message.into(),
                help: help.into(),
            });
        }
    }

    /// Adds a problem where a value is not between 0 and 1.
    pub fn share(&mut self, path: &str, value: f64) {
        self.when(
            !(0.0..=1.0).contains(&value),
            path,
            format!("`{path}` is a share, and {value} is not between 0 and 1"),
            "give a number from 0 to 1",
        );
    }

    /// Adds a problem where a value is too small.
    pub fn at_least(&mut self, path: &str, value: u64, least: u64) {
        self.when(
            value < least,
            path,
            format!("`{path}` is {value}"),
            format!("give at least {least}"),
        );
    }
}

impl Job {
    /// Every contradiction in the job, in the order of its sections; empty when it can run.
    pub fn check(&self) -> Vec<Problem> {
        let mut report = Report(Vec::new());
        self.check_seeds(&mut report);
        self.check_models(&mut report);
        self.check_student(&mut report);
        if let Some(evaluate) = &self.evaluate {
            self.check_evaluate(evaluate, &mut report);
        }
        if let Some(concepts) = &self.concepts {
            self.check_concepts(concepts, &mut report);
        }
        self.check_generate(&mut report);
        self.check_filter(&mut report);
        self.check_budget(&mut report);
        self.check_output(&mut report);
        report.0
    }

    fn check_seeds(&self, report: &mut Report) {
        report.when(
            self.seeds.path.is_empty(),
            "seeds.path",
            "no seed file is named",
            "name a file, a glob, or a list of them",
        );
        report.share("seeds.max_bad_share", self.seeds.max_bad_share);
        self.check_documents(report);
        let fields = &self.seeds.fields;
        report.when(
            fields.question == fields.answer,
            "seeds.fields.answer",
            format!("question and answer are the same column, `{}`", fields.answer),
            "name the column that holds the answer; in a conversation the parts are `messages.user` and `messages.assistant`",
        );
        report.when(
            fields.choices_from > 1,
            "seeds.fields.choices_from",
            format!("options counted from {}", fields.choices_from),
            "give 0 or 1",
        );
        report.when(
            fields.choices_from == 1 && fields.choices.is_empty(),
            "seeds.fields.choices_from",
            "it counts options, and no column of options is named",
            "name it in `seeds.fields.choices`, or leave `choices_from` out",
        );
        let holdout = &self.holdout;
        report.share("holdout.validation", holdout.validation);
        report.share("holdout.test", holdout.test);
        report.share("holdout.group_jaccard", holdout.group_jaccard);
        report.when(
            holdout.validation + holdout.test > 0.9,
            "holdout",
            format!(
                "{:.0} % of the real rows are held out",
                100.0 * (holdout.validation + holdout.test)
            ),
            "leave at least 10 % as the anchor that is generated from",
        );
    }

    fn check_documents(&self, report: &mut Report) {
        let Some(documents) = &self.seeds.documents else {
            return;
        };
        report.when(
            documents.path.is_empty(),
            "seeds.documents.path",
            "no document is named",
            "name a file, a folder, a glob, or a list of them",
        );
        report.when(
            matches!(
                self.generate.strategy,
                StrategyChoice::AnswerAugmentation | StrategyChoice::Rephrasing
            ),
            "seeds.documents",
            "only new questions are asked about documents, and the strategy makes none",
            "set `generate.strategy` to `auto` or `new_question`, or leave the documents out",
        );
        report.when(
            self.filter.validator.queries_databases(),
            "seeds.documents",
            "queries are asked about databases, not about documents",
            "leave the documents out",
        );
        report.at_least("seeds.documents.words", documents.words.into(), 24);
        report.at_least(
            "seeds.documents.words_max",
            documents.words_max.into(),
            documents.words.into(),
        );
        report.when(
            2 * documents.overlap > documents.words,
            "seeds.documents.overlap",
            format!(
                "an overlap of {} words is more than half of a passage",
                documents.overlap
            ),
            "lower it to half of `seeds.documents.words` or less",
        );
    }

    fn check_generate(&self, report: &mut Report) {
        let generate = &self.generate;
        report.at_least("generate.max_tokens", generate.max_tokens.into(), 1);
        report.at_least("generate.rounds", generate.rounds.into(), 1);
        self.check_agreement(report);
        report.when(
            generate.rows == Some(0),
            "generate.rows",
            "no rows are wanted",
            "give a number above 0, or leave it out for what the budget allows",
        );
        report.when(
            !(0.0..=0.05).contains(&generate.pilot),
            "generate.pilot",
            format!("a pilot of {} of the budget", generate.pilot),
            "give a share from 0 (no pilot) to 0.05",
        );
        report.when(
            !(0.0..=2.0).contains(&generate.temperature),
            "generate.temperature",
            format!("a temperature of {}", generate.temperature),
            "give a number from 0 to 2",
        );
        report.when(
            !(generate.top_p > 0.0 && generate.top_p <= 1.0),
            "generate.top_p",
            format!("a nucleus of {}", generate.top_p),
            "give a number above 0, up to 1",
        );
        report.when(
            generate.strategy == StrategyChoice::Rephrasing && generate.rephrasings_per_seed == 0,
            "generate.rephrasings_per_seed",
            "rephrasing is forced, but no rephrasing may be kept",
            "give at least 1",
        );
        report.when(
            generate.strategy == StrategyChoice::AnswerAugmentation && generate.temperature == 0.0,
            "generate.temperature",
            "several answers at temperature 0 are one answer several times",
            "give a temperature above 0 for answer augmentation",
        );
        report.when(
            generate.strategy == StrategyChoice::AnswerAugmentation && self.answers_repeat(),
            "generate.strategy",
            "further answers without reasoning would repeat the seed's own: bare labels, numbers, short texts and queries are seldom new",
            "set `generate.reasoning: true`, or another strategy",
        );
        self.check_mutators(report);
        self.check_recipes(report);
    }

    fn check_recipes(&self, report: &mut Report) {
        let generate = &self.generate;
        report.when(
            !generate.recipes.is_empty() && generate.strategy != StrategyChoice::Auto,
            "generate.strategy",
            "the recipes say what is made, and so does a forced strategy",
            "leave `generate.strategy` out, or name the recipe of that strategy alone",
        );
        for (i, recipe) in generate.recipes.iter().enumerate() {
            let path = format!("generate.recipes.{i}");
            let weight = recipe.weight();
            report.when(
                !(weight > 0.0 && weight.is_finite()),
                &path,
                format!("the recipe `{}` has the weight {weight}", recipe.name()),
                "give a number above 0",
            );
            let twice = generate.recipes[..i]
                .iter()
                .any(|other| other.name() == recipe.name());
            report.when(
                twice,
                &path,
                format!("the recipe `{}` is named twice", recipe.name()),
                "name it once, with the weight of both",
            );
        }
        report.when(
            !generate.roles.is_empty() && generate.recipes.is_empty(),
            "generate.roles",
            "roles are those of recipes, and no recipe is named",
            "name the recipes in `generate.recipes`, or leave the roles out",
        );
        for (role, model) in &generate.roles {
            let teachers = self.teacher.iter().map(|teacher| &teacher.spec);
            let mut models = teachers.chain(self.judge.iter().map(|judge| &judge.spec));
            report.when(
                models.all(|spec| spec.name() != *model),
                format!("generate.roles.{role}"),
                format!("the job has no model `{model}`"),
                "name a model of `teacher` or `judge`, as it stands there",
            );
        }
    }

    fn check_agreement(&self, report: &mut Report) {
        let agreement = &self.generate.agreement;
        let most = agreement.max_samples();
        report.at_least("generate.agreement.max_samples", most.into(), 1);
        report.when(
            most > Agreement::MAX_SAMPLES,
            "generate.agreement.max_samples",
            format!("`generate.agreement.max_samples` is {most}"),
            format!("give at most {}", Agreement::MAX_SAMPLES),
        );
        report.when(
            agreement
                .accuracy
                .is_some_and(|accuracy| !(accuracy > 0.5 && accuracy < 1.0)),
            "generate.agreement.accuracy",
            format!("`generate.agreement.accuracy` is {}", agreement.accuracy()),
            "give a share above 0.5 and below 1, such as 0.99",
        );
        let unread = self.filter.validator.comparison() == Comparison::No;
        match agreement.min_f1 {
            Some(min_f1) => {
                report.share("generate.agreement.min_f1", min_f1);
                report.when(
                    !unread,
                    "generate.agreement.min_f1",
                    "`generate.agreement.min_f1` does nothing beside a validator, which says when two answers are the same",
                    "leave it out",
                );
            }
            None => report.when(
                unread && *agreement != Agreement::default(),
                "generate.agreement",
                "`generate.agreement` does nothing: no validator reads the answers, so they cannot be compared",
                "set `filter.validator`, or `generate.agreement.min_f1: 0.6` to compare answers by what they say",
            ),
        }
        let Some(lead) = agreement.lead else { return };
        report.at_least("generate.agreement.lead", lead.into(), 1);
        report.when(
            most < lead,
            "generate.agreement.max_samples",
            format!("`generate.agreement.max_samples` is {most}: so few answers can never lead by {lead}"),
            format!("give at least {lead}, or a smaller `lead`"),
        );
        for (given, key) in [
            (agreement.accuracy.is_some(), "accuracy"),
            (agreement.required, "required"),
        ] {
            report.when(
                given,
                format!("generate.agreement.{key}"),
                format!("`generate.agreement.{key}` does nothing beside a fixed `lead`"),
                format!("leave `lead` out, so that it follows from the accuracy, or leave `{key}` out"),
            );
        }
    }

    /// True where rounds aim at concepts under their target.
    pub fn steers(&self) -> bool {
        self.concepts.as_ref().is_some_and(super::Concepts::steers)
    }

    /// True where a right further answer to a seed's question says what the seed's own answer says: a bare label, number or short
    /// text is the same, and a bare query brings the same result in nearly the same words. Then none are worth planning.
    pub fn answers_repeat(&self) -> bool {
        self.filter.validator.right_answers_repeat() && !self.generate.reasoning
    }

    fn check_filter(&self, report: &mut Report) {
        let filter = &self.filter;
        report.when(
            filter
                .existing
                .as_ref()
                .is_some_and(|existing| existing.datasets.is_empty()),
            "filter.existing.datasets",
            "no dataset is named",
            "name the folder of a run, of its dataset or of a generation, or leave `filter.existing` out",
        );
        report.share("filter.near_duplicates.jaccard", filter.near_duplicates.jaccard);
        report.share(
            "filter.near_duplicates.answer_jaccard",
            filter.near_duplicates.answer_jaccard,
        );
        report.at_least(
            "filter.near_duplicates.shingle_words",
            filter.near_duplicates.shingle_words.into(),
            1,
        );
        report.share(
            "filter.semantic_duplicates.cosine",
            filter.semantic_duplicates.cosine,
        );
        report.share("filter.decontaminate.coverage", filter.decontaminate.coverage);
        if let Some(cosine) = filter.decontaminate.cosine {
            report.share("filter.decontaminate.cosine", cosine);
        }
        report.at_least("filter.decontaminate.ngram", filter.decontaminate.ngram.into(), 2);
        if let Some(grounding) = &filter.grounding {
            report.share("filter.grounding.min_share", grounding.min_share);
            report.when(
                self.seeds.fields.context.is_none() && self.seeds.documents.is_none(),
                "filter.grounding",
                "answers must stand in a passage, but the seeds have none",
                "name the passage's column in `seeds.fields.context`, or `seeds.documents`, or leave `filter.grounding` out",
            );
            report.when(
                filter.validator.answers() == Kind::Label,
                "filter.grounding",
                "a label cannot be looked for in a passage: it judges the passage and does not stand in it",
                "leave `filter.grounding` out; `filter.validator` checks labels, and a `judge` may check them as well",
            );
        }
        self.check_validator(report);
    }

    fn check_validator(&self, report: &mut Report) {
        self.filter.validator.check_settings(self, report);
        report.when(
            self.seeds.fields.database.is_some() && !self.filter.validator.queries_databases(),
            "seeds.fields.database",
            "a database column does nothing without the validator `sql`",
            "set `filter.validator: {kind: sql, databases: FOLDER}`, or leave the column out",
        );
    }

    fn check_budget(&self, report: &mut Report) {
        let budget = &self.budget;
        report.when(
            budget.usd.is_none() && budget.calls.is_none(),
            "budget",
            "the budget has no limit",
            "set `budget.usd`, `budget.calls`, or both",
        );
        if let Some(usd) = budget.usd {
            report.when(
                !(usd > 0.0 && usd <= 1.0e7),
                "budget.usd",
                format!("a budget of {usd} US dollars"),
                "give an amount above 0, up to 10,000,000",
            );
        }
        if let Some(calls) = budget.calls {
            report.when(
                calls == 0 || calls > 1_000_000_000,
                "budget.calls",
                format!("a budget of {calls} calls"),
                "give a number from 1 to 1,000,000,000",
            );
        }
        report.when(
            !(budget.at_risk > 0.0 && budget.at_risk <= 1.0),
            "budget.at_risk",
            format!("a share of {} of the budget at risk", budget.at_risk),
            "give a number above 0, up to 1: 0.05 lets calls in flight hold 5 % of the budget",
        );
        report.at_least("budget.max_attempts", budget.max_attempts.into(), 1);
        report.when(
            budget.max_attempts > 100,
            "budget.max_attempts",
            format!("{} attempts at one task", budget.max_attempts),
            "give at most 100",
        );
        let anchor = &self.anchor;
        report.share("anchor.max_synthetic_share", anchor.max_synthetic_share);
        report.when(
            anchor.max_synthetic_share >= 1.0,
            "anchor.max_synthetic_share",
            "a training set without real rows",
            "keep the share under 1: a model trained on synthetic rows alone loses the tails of the data",
        );
        report.when(
            anchor.self_improvement && anchor.max_synthetic_share > 0.9,
            "anchor.max_synthetic_share",
            "a teacher that descends from the student needs at least 10 % real rows",
            "give at most 0.9; 0.7 and below is safe practice",
        );
        report.at_least("anchor.max_repeats", anchor.max_repeats.into(), 1);
        report.when(
            anchor.max_repeats > 4,
            "anchor.max_repeats",
            format!("a real row up to {} times", anchor.max_repeats),
            "give at most 4",
        );
        report.at_least("anchor.max_depth", anchor.max_depth.into(), 1);
        for (number, teacher) in self.teacher.iter().enumerate() {
            let path = format!("{}.lineage_depth", teacher_path(number, self.teacher.len()));
            let depth = teacher.row_depth();
            report.when(
                depth > anchor.max_depth.max(1),
                path,
                format!(
                    "rows of the teacher `{}` would have {depth} synthetic ancestors, themselves included, and `anchor.max_depth` is {}",
                    teacher.spec.name(),
                    anchor.max_depth
                ),
                format!(
                    "use a teacher that was not trained on synthetic rows of yours, or allow it with `anchor.max_depth: {depth}`: each step away \
                     from real rows adds the errors of one more model"
                ),
            );
        }
    }

    fn check_output(&self, report: &mut Report) {
        report.at_least("output.shard_rows", self.output.shard_rows, 1);
        report.when(
            self.judge
                .as_ref()
                .is_some_and(|judge| judge.when == JudgeWhen::Unverified)
                && self.generate.strategy == StrategyChoice::AnswerAugmentation
                && self.filter.validator.compares_references(),
            "judge",
            "the judge would never be asked: every answer has a reference that the validator checks",
            "leave `judge` out, or set `judge.when: always`",
        );
    }
}
