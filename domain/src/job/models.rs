//! Every model that a job names, with the path of its key.

use super::{Job, ModelSpec};

impl Job {
    /// Every model that may be asked, with the path of its key: `teacher`, or `teacher.1` of several; `judge`.
    pub fn models(&self) -> impl Iterator<Item = (String, &ModelSpec)> {
        let teachers = self.teacher.len();
        let teacher = self.teacher.iter().enumerate();
        let teacher = teacher.map(move |(i, teacher)| (numbered("teacher", i, teachers), &teacher.spec));
        let judge = self.judge.iter().map(|judge| ("judge".to_owned(), &judge.spec));
        teacher.chain(judge)
    }

    /// The same, to be changed.
    pub fn models_mut(&mut self) -> impl Iterator<Item = (String, &mut ModelSpec)> {
        let teachers = self.teacher.len();
        let teacher = self.teacher.iter_mut().enumerate();
        let teacher = teacher.map(move |(i, teacher)| (numbered("teacher", i, teachers), &mut teacher.spec));
        let judge = self.judge.iter_mut().map(|judge| ("judge".to_owned(), &mut judge.spec));
        teacher.chain(judge)
    }
}

/// The path of an item: a list of one may be written without its dash.
fn numbered(list: &str, i: usize, of: usize) -> String {
    match of {
        1 => list.to_owned(),
        _ => format!("{list}.{i}"),
    }
}
