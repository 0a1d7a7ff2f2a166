//! The model that is trained on the dataset, and whether a teacher is related to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Job, LocalModel, ModelSpec, Teacher};

/// The model that is trained on the dataset. It is never asked; it is named so that a teacher of its own kind is noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Student {
    /// Its name, or its file: `qwen3-0.6b`, `Qwen/Qwen3-0.6B`, `models/mine.gguf`.
    pub model: String,
    /// Where a teacher is related to the student: the accuracy on validation rows, 0 to 1, that the teacher must be shown to have (the lower
    /// end of the 95 % interval); 0.8 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_accuracy: Option<f64>,
    /// Validation rows that such a teacher is asked at most; 200 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions: Option<u32>,
}

impl Student {
    /// Least accuracy of a teacher that is related to the student: under 80 % a teacher's errors are worth a warning anywhere, and here they
    /// are what the student already gets wrong.
    pub const MIN_ACCURACY: f64 = 0.8;
    /// Validation rows that it is asked at most: 200 show an accuracy of 0.9 to within 4 points.
    pub const QUESTIONS: u32 = 200;
}

/// Why a teacher counts as related to the student.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It has the student's name, or its file's.
    Student,
    /// Its name begins like that of the student's family.
    Family,
    /// The job says so.
    Stated,
}

impl Job {
    /// How a teacher is related to the student; `None` where it is not, as far as names show and the job says.
    pub fn relation(&self, teacher: &Teacher) -> Option<Relation> {
        let by_name = self
            .student
            .as_ref()
            .and_then(|student| by_name(&student.model, &teacher.spec));
        match (teacher.related_to_student, by_name) {
            // What has the student's own name is the student, whatever is said of it.
            (_, Some(Relation::Student)) => by_name,
            (Some(true), _) => Some(Relation::Stated),
            (Some(false), _) => None,
            (None, Some(relation)) => Some(relation),
            // A job without a student says of all its teachers that they descend from it.
            (None, None) => {
                (self.student.is_none() && self.anchor.self_improvement).then_some(Relation::Stated)
            }
        }
    }

    /// Numbers of the teachers that are asked validation rows before they may make any: those related to the student. A model that is only
    /// asked in a role makes none; what it may be asked then follows from its relation as well.
    pub fn checked_teachers(&self) -> Vec<usize> {
        let related =
            |(_, teacher): &(usize, &Teacher)| teacher.makes_rows() && self.relation(teacher).is_some();
        let teachers = self.teacher.iter().enumerate().filter(related);
        teachers.map(|(number, _)| number).collect()
    }

    /// The accuracy that they must be shown to have, 0 to 1.
    pub fn min_accuracy(&self) -> f64 {
        let of_student = self.student.as_ref().and_then(|student| student.min_accuracy);
        of_student.unwrap_or(Student::MIN_ACCURACY)
    }

    /// Validation rows that each of them is asked at most.
    pub fn check_questions(&self) -> u32 {
        let of_student = self.student.as_ref().and_then(|student| student.questions);
        of_student.unwrap_or(Student::QUESTIONS)
    }
}

/// How a model is related to the student by their names alone.
fn by_name(student: &str, teacher: &ModelSpec) -> Option<Relation> {
    // An adapter makes another model of the student's base, and no stranger.
    let theirs = teacher.local.as_ref().map(LocalModel::base_name);
    let (ours, theirs) = (bare(student), bare(&theirs.unwrap_or_else(|| teacher.name())));
    if ours == theirs {
        return Some(Relation::Student);
    }
    let family = family(&ours)?;
    (self::family(&theirs)? == family).then_some(Relation::Family)
}

/// A name in small letters, without the organisation or the folder before it and the ending of a file.
fn bare(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name = last.strip_suffix(".gguf").unwrap_or(last);
    name.to_lowercase()
}

/// The family of a model: the letters that the first word of its name begins with, where an organisation's name is none. `llama-3.1-8b` and
/// `meta-llama-3.3-70b-instruct` are of the family `llama`. `None` where a name begins with no letters.
fn family(name: &str) -> Option<String> {
    const ORGANISATIONS: [&str; 6] = ["meta", "google", "mistralai", "microsoft", "openai", "ibm"];
    let mut words = name.split(['-', '_', ':', ' ', '.']);
    let first = words.next()?;
    let word = match ORGANISATIONS.contains(&first) {
        true => words.next().unwrap_or(first),
        false => first,
    };
    let letters: String = word.chars().take_while(|c| c.is_alphabetic()).collect();
    (!letters.is_empty()).then_some(letters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn relation(student: &str, teacher: serde_json::Value, anchor: bool) -> Option<Relation> {
        let student = (!student.is_empty()).then(|| json!({"model": student}));
        let job: Job = serde_json::from_value(json!({
            "seeds": {"path": "s.jsonl"}, "teacher": teacher, "budget": {"calls": 10},
            "student": student, "anchor": {"self_improvement": anchor, "max_synthetic_share": 0.7},
        }))
        .unwrap();
        job.relation(&job.teacher[0])
    }

    fn named(name: &str) -> serde_json::Value {
        json!({"base_url": "http://h/v1", "model": name})
    }

    #[test]
    fn names_show_who_is_related() {
        let of = |student: &str, teacher: &str| relation(student, named(teacher), false);
        assert_eq!(of("qwen3-0.6b", "Qwen/Qwen3-0.6B"), Some(Relation::Student));
        assert_eq!(of("models/mine.gguf", "mine"), Some(Relation::Student));
        assert_eq!(of("qwen3-0.6b", "qwen3-32b"), Some(Relation::Family));
        assert_eq!(
            of("Llama-3.1-8B", "meta-llama/Meta-Llama-3.3-70B-Instruct"),
            Some(Relation::Family)
        );
        assert_eq!(of("qwen3-0.6b", "gpt-6-sol"), None);
        assert_eq!(of("7b", "13b"), None, "names that say nothing");
        let own = json!({"local": "models/mine.gguf"});
        assert_eq!(relation("mine", own, false), Some(Relation::Student));
        let trained = json!({"local": {"name": "models/mine.gguf", "adapter": "out/other"}});
        assert_eq!(relation("mine", trained, false), Some(Relation::Student));
    }

    #[test]
    fn the_job_can_say_what_names_do_not_show_and_cannot_deny_the_student_itself() {
        let said = |name: &str, related: bool| {
            let mut teacher = named(name);
            teacher["related_to_student"] = json!(related);
            relation("qwen3-0.6b", teacher, false)
        };
        assert_eq!(said("distilled", true), Some(Relation::Stated));
        assert_eq!(said("qwen3-32b", false), None);
        assert_eq!(said("qwen3-0.6b", false), Some(Relation::Student));
        assert_eq!(relation("", named("any"), true), Some(Relation::Stated));
        assert_eq!(relation("", named("any"), false), None);
    }
}
