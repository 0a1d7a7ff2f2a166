//! What each step of a run's recipes was given, dropped and cost, and what each model cost: counted from the journal, and kept up with it.
//!
//! Rows say which recipe made them, which calls were made for them and why they were dropped; results say what each call cost. A result may be
//! stored before its row: its cost waits until the row is decided.

mod left_at;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gristmill_coordinator::{Journal, Start, TaskResult};
use gristmill_domain::amount::Amount;
use gristmill_domain::filter::Reason;
use gristmill_domain::id::TaskId;
use gristmill_domain::recipe::{Made, Recipe};
use gristmill_domain::row::Row;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Address;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

use left_at::{left_at, step_of};

/// One step of a recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepCount {
    /// Candidates for which it made at least one call, where their rows say so ([`RecipeSteps::calls_known`]).
    pub asked: u64,
    /// Candidates that it dropped, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// What its calls cost, every attempt counted.
    pub cost: Amount,
}

/// One recipe of a run.
#[derive(Debug, Clone)]
pub struct RecipeSteps {
    /// The recipe.
    pub recipe: Recipe,
    /// Its name, version and hash.
    pub made: Made,
    /// Candidates that were decided.
    pub candidates: u64,
    /// Those of them that were accepted.
    pub accepted: u64,
    /// Its steps, in their order.
    pub steps: Vec<StepCount>,
    /// Candidates that were dropped after the last step, by reason.
    pub dropped_last: BTreeMap<Reason, u64>,
    /// Each row says which calls were made for it; those of versions before recipes do not.
    pub calls_known: bool,
}

impl RecipeSteps {
    /// Candidates that came to a step: those that no step before it dropped.
    pub fn came_to(&self, step: usize) -> u64 {
        let before = self.steps.iter().take(step);
        let dropped: u64 = before.map(|step| step.dropped.values().sum::<u64>()).sum();
        self.candidates.saturating_sub(dropped)
    }

    /// What all its steps cost.
    pub fn cost(&self) -> Amount {
        self.steps.iter().map(|step| step.cost).sum()
    }
}

/// What calls of one stage to one model cost, by what became of the candidates that they were made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModelCost {
    /// For accepted rows.
    pub accepted: Amount,
    /// For rejected ones.
    pub rejected: Amount,
    /// For candidates that are not decided yet.
    pub open: Amount,
    /// For no single candidate: embeddings, and questions that measure a teacher.
    pub others: Amount,
}

impl ModelCost {
    /// All of it.
    pub fn all(&self) -> Amount {
        self.accepted + self.rejected + self.open + self.others
    }
}

/// What became of the candidates of one teacher.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeacherCount {
    /// Candidates that were decided.
    pub candidates: u64,
    /// Those of them that were accepted.
    pub accepted: u64,
    /// Rejected ones by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// What they cost, every call and attempt counted, whichever model was asked.
    pub cost: Amount,
    /// Answers that could be compared with a reference, and those of them that differ from it.
    pub compared: u64,
    /// Those that differ.
    pub differ: u64,
}

/// What became of a candidate, as far as its calls need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Ended {
    #[default]
    Open,
    /// By which of the recipes; none for a question that measures a teacher.
    Decided { recipe: Option<u16>, accepted: bool },
}

/// A call with what it cost.
#[derive(Debug, Clone)]
struct Call {
    task: TaskId,
    step: usize,
    stage: Stage,
    model: String,
    cost: Amount,
}

/// A call that several candidates share: the first step of their recipe.
#[derive(Debug, Clone, Default)]
struct SharedCall {
    accepted: u64,
    rejected: u64,
    cost: Option<(Stage, String, Amount)>,
}

/// Counts of a run's steps and models. Takes two bytes and a verdict a candidate, and the calls of those under way.
#[derive(Debug, Clone, Default)]
pub struct StepTally {
    read: BTreeSet<String>,
    recipes: Vec<RecipeSteps>,
    models: BTreeMap<(Stage, String), ModelCost>,
    teachers: BTreeMap<String, TeacherCount>,
    /// By round, in the order of candidates.
    ended: HashMap<u32, Vec<Ended>>,
    /// Results of candidates that are not decided.
    waiting: HashMap<(u32, u64), Vec<Call>>,
    shared: HashMap<TaskId, SharedCall>,
}

impl StepTally {
    /// Counts what the journal has that was not counted yet. One segment is in memory at a time.
    ///
    /// # Errors
    /// A recipe that cannot be read, a segment that is damaged or cannot be read. What was counted before it stays counted.
    pub async fn catch_up(&mut self, state: &dyn Blobs, start: &Start) -> anyhow::Result<()> {
        if self.recipes.is_empty() {
            self.recipes = recipes(start)?;
        }
        let journal = Journal::new(state);
        for name in journal.all_segments(SegmentKind::Rows).await? {
            if !self.read.contains(&name) {
                let rows = journal.rows(&name).await?;
                rows.iter().for_each(|record| self.see_row(&record.value));
                self.read.insert(name);
            }
        }
        for name in journal.all_segments(SegmentKind::Results).await? {
            if !self.read.contains(&name) {
                let results = journal.results(&name).await?;
                results.iter().for_each(|result| self.see_result(result));
                self.read.insert(name);
            }
        }
        Ok(())
    }

    /// The recipes that made candidates, in the order of the job.
    pub fn recipes(&self) -> impl Iterator<Item = &RecipeSteps> {
        self.recipes.iter().filter(|recipe| recipe.candidates > 0)
    }

    /// What each model cost by stage. A call that is stored is in it, one that is in flight is not. Of a call that several candidates share, each
    /// bears an equal part.
    pub fn models(&self) -> BTreeMap<(Stage, String), ModelCost> {
        let mut models = self.models.clone();
        for call in self.shared.values() {
            let Some((stage, model, cost)) = &call.cost else {
                continue;
            };
            let sum = models.entry((*stage, model.clone())).or_default();
            let of = call.accepted + call.rejected;
            for place in 0..of {
                let part = cost.part(place, of);
                match place < call.accepted {
                    true => sum.accepted += part,
                    false => sum.rejected += part,
                }
            }
        }
        for call in self.waiting.values().flatten() {
            models.entry((call.stage, call.model.clone())).or_default().open += call.cost;
        }
        models
    }

    /// What became of the candidates of each teacher.
    pub fn teachers(&self) -> &BTreeMap<String, TeacherCount> {
        &self.teachers
    }

    fn see_row(&mut self, row: &Row) {
        let accepted = row.accepted();
        let recipe = (!row.calibrates()).then(|| self.place(row)).flatten();
        let ended = Ended::Decided {
            recipe: recipe.and_then(|place| u16::try_from(place).ok()),
            accepted,
        };
        let candidates = self.ended.entry(row.position.round).or_default();
        let index = usize::try_from(row.position.index).unwrap_or(usize::MAX);
        if candidates.len() <= index {
            candidates.resize(index.saturating_add(1), Ended::Open);
        }
        if let Some(place) = candidates.get_mut(index) {
            *place = ended;
        }
        if !row.calibrates() {
            self.count_teacher(row);
        }
        if let Some(counts) = recipe.and_then(|place| self.recipes.get_mut(place)) {
            count(counts, row);
            if counts.recipe.shared_by() > 1
                && let Some(task) = row.tasks.first()
            {
                let shared = self.shared.entry(*task).or_default();
                match accepted {
                    true => shared.accepted += 1,
                    false => shared.rejected += 1,
                }
            }
        }
        let key = (row.position.round, row.position.index);
        for call in self.waiting.remove(&key).unwrap_or_default() {
            self.book(ended, call);
        }
    }

    fn count_teacher(&mut self, row: &Row) {
        let teacher = self.teachers.entry(row.teacher.clone()).or_default();
        teacher.candidates += 1;
        teacher.accepted += u64::from(row.accepted());
        teacher.cost += row.cost();
        teacher.compared += u64::from(row.checks.correct.is_some());
        teacher.differ += u64::from(row.checks.correct == Some(false));
        if let Some(rejection) = &row.rejection {
            *teacher.rejected.entry(rejection.reason).or_default() += 1;
        }
    }

    /// The recipe of a row. Rows of versions before recipes were made by the one of their strategy.
    fn place(&self, row: &Row) -> Option<usize> {
        let exact = |made: &Made| self.recipes.iter().position(|recipe| recipe.made == *made);
        let named = |name: &str| self.recipes.iter().position(|recipe| recipe.made.recipe == name);
        match &row.made {
            Some(made) => exact(made).or_else(|| named(&made.recipe)),
            None => named(row.strategy.as_str()),
        }
    }

    fn see_result(&mut self, result: &TaskResult) {
        let Address { round, index, step } = result.address;
        let call = Call {
            task: result.task,
            step: step.call.step,
            stage: step.stage,
            model: result.model.clone(),
            cost: result.cost,
        };
        if call.stage == Stage::Embed || round >= Address::TEACHER_CHECK {
            self.models.entry((call.stage, call.model)).or_default().others += call.cost;
            return;
        }
        match self.ended(round, index) {
            Ended::Open => self.waiting.entry((round, index)).or_default().push(call),
            ended => self.book(ended, call),
        }
    }

    fn ended(&self, round: u32, index: u64) -> Ended {
        let candidates = self.ended.get(&round);
        let place = usize::try_from(index).ok();
        let ended = candidates.zip(place).and_then(|(all, place)| all.get(place));
        ended.copied().unwrap_or_default()
    }

    /// Books a call at its step and its model. A shared one has the address of the first of the candidates that share it.
    fn book(&mut self, ended: Ended, call: Call) {
        if let Ended::Decided {
            recipe: Some(recipe), ..
        } = ended
        {
            let counts = self.recipes.get_mut(usize::from(recipe));
            if let Some(step) = counts.and_then(|counts| counts.steps.get_mut(call.step)) {
                step.cost += call.cost;
            }
        }
        if let Some(shared) = self.shared.get_mut(&call.task) {
            shared.cost = Some((call.stage, call.model, call.cost));
            return;
        }
        let sum = self.models.entry((call.stage, call.model)).or_default();
        match ended {
            Ended::Open => sum.open += call.cost,
            Ended::Decided { recipe: None, .. } => sum.others += call.cost,
            Ended::Decided { accepted: true, .. } => sum.accepted += call.cost,
            Ended::Decided { accepted: false, .. } => sum.rejected += call.cost,
        }
    }
}

fn recipes(start: &Start) -> anyhow::Result<Vec<RecipeSteps>> {
    let setup = start.setup()?;
    let counts = |recipe: &Recipe| RecipeSteps {
        made: recipe.made(),
        candidates: 0,
        accepted: 0,
        steps: vec![StepCount::default(); recipe.steps().len()],
        dropped_last: BTreeMap::new(),
        calls_known: true,
        recipe: recipe.clone(),
    };
    Ok(setup.recipes().iter().map(|used| counts(&used.recipe)).collect())
}

fn count(counts: &mut RecipeSteps, row: &Row) {
    counts.candidates += 1;
    counts.accepted += u64::from(row.accepted());
    counts.calls_known &= row.tasks.len() == row.steps.len();
    let asked: BTreeSet<usize> = row
        .steps
        .iter()
        .filter_map(|taken| step_of(&counts.recipe, &taken.step))
        .collect();
    for step in asked {
        counts.steps[step].asked += 1;
    }
    let Some(rejection) = &row.rejection else {
        return;
    };
    let left = left_at(&counts.recipe, row);
    let dropped = match left.and_then(|step| counts.steps.get_mut(step)) {
        Some(step) => &mut step.dropped,
        None => &mut counts.dropped_last,
    };
    *dropped.entry(rejection.reason).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use gristmill_blob::LocalBlobs;

    use super::*;
    use crate::{Manifest, RunFolder};

    fn stored() -> RunFolder {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/runs/0.1/run");
        RunFolder::open(&folder).unwrap()
    }

    #[tokio::test]
    async fn counts_agree_with_the_manifest_to_the_last_call() {
        let folder = stored();
        let manifest: Manifest = serde_json::from_value(folder.manifest().unwrap().unwrap()).unwrap();
        let (state, start) = (LocalBlobs::new(folder.state()), folder.start().unwrap());
        let mut tally = StepTally::default();
        tally.catch_up(&state, &start).await.unwrap();
        let models = tally.models();
        for spend in &manifest.spend {
            let cost = models[&(spend.stage.parse().unwrap(), spend.model.clone())].all();
            assert_eq!(
                (cost.usd.0, cost.calls),
                (spend.spent_usd_micros, spend.calls),
                "{}",
                spend.model
            );
        }
        let lost: u64 = manifest.rejected.iter().map(|(_, loss)| loss.usd_micros).sum();
        let of = |part: fn(&ModelCost) -> Amount| models.values().map(part).sum::<Amount>();
        assert_eq!(of(|cost| cost.rejected).usd.0, lost);
        assert_eq!(of(|cost| cost.open), Amount::ZERO);

        let dropped: u64 = manifest.rows.rejected;
        let counted: Vec<&RecipeSteps> = tally.recipes().collect();
        let all = |part: fn(&RecipeSteps) -> u64| counted.iter().map(|recipe| part(recipe)).sum::<u64>();
        assert_eq!(all(|recipe| recipe.accepted), manifest.rows.train_synthetic);
        let left = |recipe: &RecipeSteps| {
            let steps = recipe.steps.iter().flat_map(|step| step.dropped.values());
            steps.chain(recipe.dropped_last.values()).sum::<u64>()
        };
        assert!(
            all(left) <= dropped,
            "questions that measure the teacher are no candidates"
        );
        for recipe in &counted {
            assert_eq!(
                recipe.came_to(recipe.steps.len()),
                recipe.accepted + recipe.dropped_last.values().sum::<u64>()
            );
        }
        let by_recipe: u64 = counted.iter().map(|recipe| recipe.cost().usd.0).sum();
        let others = of(|cost| cost.others).usd.0;
        assert_eq!(by_recipe + others, manifest.usd_micros());

        let before = (tally.models(), tally.teachers().clone());
        tally.catch_up(&state, &start).await.unwrap();
        assert_eq!(
            before,
            (tally.models(), tally.teachers().clone()),
            "nothing is counted twice"
        );
    }

    #[tokio::test]
    async fn results_that_are_stored_before_their_rows_wait_for_them() {
        let folder = stored();
        let (state, start) = (LocalBlobs::new(folder.state()), folder.start().unwrap());
        let mut whole = StepTally::default();
        whole.catch_up(&state, &start).await.unwrap();
        let journal = Journal::new(&state);
        let mut early = StepTally {
            recipes: recipes(&start).unwrap(),
            ..StepTally::default()
        };
        for name in journal.all_segments(SegmentKind::Results).await.unwrap() {
            journal
                .results(&name)
                .await
                .unwrap()
                .iter()
                .for_each(|result| early.see_result(result));
        }
        let open: Amount = early.models().values().map(|cost| cost.open).sum();
        assert!(open.calls > 0);
        for name in journal.all_segments(SegmentKind::Rows).await.unwrap() {
            journal
                .rows(&name)
                .await
                .unwrap()
                .iter()
                .for_each(|record| early.see_row(&record.value));
        }
        assert_eq!(early.models(), whole.models());
        let costs = |tally: &StepTally| tally.recipes().map(RecipeSteps::cost).collect::<Vec<_>>();
        assert_eq!(costs(&early), costs(&whole));
    }
}
