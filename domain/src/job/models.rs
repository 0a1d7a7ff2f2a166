//! Every model that a job names, with the path of its key.

use super::{Job, ModelSpec};

impl Job {
    /// Every model that may be asked, with the path of its key: `teacher`, or `teacher.1` of several; `judge`; `evaluate.models.0`.
    pub fn models(&self) -> impl Iterator<Item = (String, &ModelSpec)> {
        let teachers = self.teacher.len();
        let teacher = self.teacher.iter().enumerate();
        let teacher = teacher.map(move |(i, teacher)| (teacher_path(i, teachers), &teacher.spec));
        let judge = self.judge.iter().map(|judge| ("judge".to_owned(), &judge.spec));
        let evaluated = self.evaluate.iter().flat_map(|evaluate| &evaluate.models);
        let evaluated = evaluated
            .enumerate()
            .map(|(i, model)| (evaluated_path(i), &model.spec));
        teacher.chain(judge).chain(evaluated)
    }

    /// The same, to be changed.
    pub fn models_mut(&mut self) -> impl Iterator<Item = (String, &mut ModelSpec)> {
        let teachers = self.teacher.len();
        let teacher = self.teacher.iter_mut().enumerate();
        let teacher = teacher.map(move |(i, teacher)| (teacher_path(i, teachers), &mut teacher.spec));
        let judge = self
            .judge
            .iter_mut()
            .map(|judge| ("judge".to_owned(), &mut judge.spec));
        let evaluated = self.evaluate.iter_mut().flat_map(|evaluate| &mut evaluate.models);
        let evaluated = evaluated
            .enumerate()
            .map(|(i, model)| (evaluated_path(i), &mut model.spec));
        teacher.chain(judge).chain(evaluated)
    }
}

/// The path of a teacher: a list of one may be written without its dash.
pub(super) fn teacher_path(i: usize, of: usize) -> String {
    match of {
        1 => "teacher".to_owned(),
        _ => format!("teacher.{i}"),
    }
}

fn evaluated_path(i: usize) -> String {
    format!("evaluate.models.{i}")
}
