//! What a job says of its student, and of teachers that are related to it.

use super::Report;
use crate::job::models::teacher_path;
use crate::job::student::Relation;
use crate::job::{Job, Student};
use crate::self_improvement::questions_needed;

impl Job {
    pub(super) fn check_student(&self, report: &mut Report) {
        let checked = self.checked_teachers();
        self.check_relations(&checked, report);
        report.when(
            self.anchor.self_improvement && checked.is_empty(),
            "anchor.self_improvement",
            "no teacher is related to the student, so there is no self-improvement to allow",
            "leave it out, or set `related_to_student: true` on the teacher that descends from the student",
        );
        if let Some(student) = &self.student {
            self.check_gate(student, !checked.is_empty(), report);
        }
        let grades = self.filter.validator.compares_references()
            || self.generate.agreement.min_f1.is_some()
            || self.judge.is_some();
        report.when(
            !checked.is_empty() && !self.seeds.fields.has_references(),
            "seeds.fields.references",
            "a teacher that is related to the student is measured by the seeds' answers, and `none` says that they are not sure enough",
            "name the column of the answers, or use a teacher that is not related to the student",
        );
        report.when(
            !checked.is_empty() && !grades,
            "filter.validator",
            "a teacher that is related to the student is measured on validation rows, and nothing grades its answers",
            "set `filter.validator`, `generate.agreement.min_f1`, or add a `judge`",
        );
    }

    fn check_relations(&self, checked: &[usize], report: &mut Report) {
        for number in checked {
            let Some(teacher) = self.teacher.get(*number) else {
                continue;
            };
            let path = teacher_path(*number, self.teacher.len());
            let name = teacher.spec.name();
            let relation = self.relation(teacher);
            let how = match relation {
                Some(Relation::Student) => "is the student itself",
                Some(Relation::Family) => "is of the student's family",
                Some(Relation::Stated) | None => "is related to the student",
            };
            let denied = match relation {
                Some(Relation::Family) => {
                    "; if it is not related to the student, set `related_to_student: false` on the teacher"
                }
                _ => "",
            };
            report.when(
                !self.anchor.self_improvement,
                path.clone(),
                format!(
                    "the teacher `{name}` {how}: a model that is trained on its own output repeats its own errors"
                ),
                format!(
                    "allow it with `anchor: {{self_improvement: true, max_synthetic_share: 0.7}}`: the run then measures the teacher on validation \
                     rows first, and goes on only if at least {:.0} % right is shown (`student.min_accuracy`){denied}",
                    100.0 * self.min_accuracy()
                ),
            );
            report.when(
                relation == Some(Relation::Student) && teacher.related_to_student == Some(false),
                format!("{path}.related_to_student"),
                format!("the teacher `{name}` has the student's own name"),
                "leave `related_to_student` out, or name another student in `student.model`",
            );
        }
    }

    /// The settings of the measurement.
    fn check_gate(&self, student: &Student, gated: bool, report: &mut Report) {
        report.when(
            student.model.trim().is_empty(),
            "student.model",
            "the student has no name",
            "give the name or the file of the model that you will train",
        );
        for (key, given) in [
            ("min_accuracy", student.min_accuracy.is_some()),
            ("questions", student.questions.is_some()),
        ] {
            report.when(
                given && !gated,
                format!("student.{key}"),
                format!("`student.{key}` does nothing: no teacher is related to the student, so none is measured"),
                "leave it out, or set `related_to_student: true` on the teacher that descends from the student",
            );
        }
        let needed = questions_needed(self.min_accuracy());
        report.when(
            needed.is_none(),
            "student.min_accuracy",
            format!("`student.min_accuracy` is {}", self.min_accuracy()),
            "give a share above 0 and below 1, such as 0.8",
        );
        let asked = u64::from(self.check_questions());
        report.when(
            needed.is_some_and(|needed| asked < needed),
            "student.questions",
            format!(
                "{asked} questions cannot show an accuracy of {}",
                self.min_accuracy()
            ),
            format!(
                "give at least {}, or lower `student.min_accuracy`",
                needed.unwrap_or_default()
            ),
        );
    }
}
