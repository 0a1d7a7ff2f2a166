//! What each kind of step must say.

use std::collections::BTreeSet;

use super::{Check, PASSES_MAX, SAMPLES_MAX, SHARED_MAX, is_name};
use crate::recipe::condition::{Condition, JOB};
use crate::recipe::file::{RepeatFile, SamplesFile, StepFile};
use crate::recipe::{Among, Ask, Does, JudgeStep, Keep, OwnRubric, Role, Samples, Step};
use crate::reply::{Holds, Member, Reply};
use crate::strategy::Strategy;

/// True of what nothing tells better ones from worse ones of.
fn is_unranked(holds: &Holds) -> bool {
    holds.is_dialogue() || *holds == Holds::Tools
}

impl Check {
    pub(super) fn ask(&mut self, path: &str, name: &str, step: &StepFile, when: Option<Condition>) {
        self.name(&format!("{path}.ask"), name);
        if step.prompt.is_empty() {
            self.tell(
                path,
                format!("the step `{name}` has no prompt"),
                "name a built-in one, or a file, in `prompt`",
            );
        }
        if step.reply.is_empty() {
            self.tell(
                path,
                format!("the step `{name}` has no reply"),
                "list what it holds in `reply`, such as `- question: question`",
            );
        }
        let reply = self.reply(path, name, step);
        let samples = self.samples(path, &reply, step);
        let number = self.steps.len();
        let keeps_facts = self.keeps_facts(path, &reply, samples, step);
        if samples.are_several() {
            self.sampled = Some((number, reply.members.clone()));
        } else {
            self.fill(reply.filled());
        }
        let shared_by = self.shared_by(path, &reply, samples, step, when.is_some());
        let require = step.require.as_ref().and_then(|text| {
            let path = format!("{path}.require");
            self.condition(&path, text)
                .map(|condition| self.demand(&path, condition, step))
        });
        let ask = Ask {
            prompts: step.prompt.0.clone(),
            role: Role::read(step.model.as_deref(), Role::Teacher),
            reply,
            samples,
            brings: step.brings.is_some(),
            keeps_facts,
            require,
            again: step.again,
            shared_by,
        };
        self.push(name, Does::Ask(ask), when);
    }

    /// How many candidates share the reply: a list and `shared_by` belong together, at the first step of a recipe for something new.
    fn shared_by(
        &mut self,
        path: &str,
        reply: &Reply,
        samples: Samples,
        step: &StepFile,
        conditional: bool,
    ) -> u32 {
        let lists = reply
            .members
            .iter()
            .filter(|member| member.holds.records().is_some())
            .count();
        let key = format!("{path}.shared_by");
        let Some(number) = step.shared_by else {
            if lists > 0 {
                let help = "add `shared_by`, the number of candidates that each take one record of it";
                self.tell(path, "nobody takes the records of the list", help);
            }
            return 1;
        };
        if !(2..=SHARED_MAX).contains(&number) {
            self.tell(
                &key,
                format!("a reply that {number} candidates share"),
                format!("give 2 to {SHARED_MAX}, or leave it out"),
            );
        }
        if lists != 1 {
            let help =
                "ask for one list in `reply`, such as `- questions: {list: {of: [{question: question}]}}`";
            self.tell(
                &key,
                format!("candidates share one list, and the reply holds {lists}"),
                help,
            );
        }
        if !self.steps.is_empty() || conditional {
            let help = "move it to the beginning, without `when`";
            self.tell(
                &key,
                "only the first step can be shared, by all candidates alike",
                help,
            );
        }
        if samples != Samples::One || step.brings.is_some() {
            let help = "leave `samples` and `brings` out";
            self.tell(&key, "one reply is shared, and it answers nothing", help);
        }
        if self.kind != Strategy::NewQuestion {
            let help = "leave it out, or ask for new questions";
            self.tell(
                &key,
                "only new questions and texts can be shared: other rows keep to their seed",
                help,
            );
        }
        number
    }

    pub(super) fn samples(&mut self, path: &str, reply: &Reply, step: &StepFile) -> Samples {
        let path = format!("{path}.samples");
        match &step.samples {
            None => Samples::One,
            Some(SamplesFile::Number(2..=SAMPLES_MAX)) if reply.first(is_unranked).is_some() => {
                let help = "leave `samples` out, or ask for the answers in a step of their own";
                self.tell(&path, "`choose` ranks answers, and not dialogues or tools", help);
                Samples::One
            }
            Some(SamplesFile::Number(number @ 2..=SAMPLES_MAX)) => Samples::Several(*number),
            Some(SamplesFile::Number(1)) => Samples::One,
            Some(SamplesFile::Number(number)) => {
                self.tell(
                    &path,
                    format!("{number} samples of one step"),
                    format!("give 1 to {SAMPLES_MAX}"),
                );
                Samples::One
            }
            Some(SamplesFile::Until(_)) => {
                if reply.answer().is_none() {
                    self.tell(&path, "only answers can agree", "ask for one: `- answer: answer`");
                }
                // What its evidence is is known once all steps are.
                Samples::Agreement {
                    verdict: None,
                    judge: None,
                }
            }
        }
    }

    pub(super) fn judge(&mut self, path: &str, name: &str, step: &StepFile, when: Option<Condition>) {
        self.name(&format!("{path}.judge"), name);
        let answered = self.fields.iter().any(|(_, holds)| *holds == Holds::Answer)
            || self
                .sampled
                .as_ref()
                .is_some_and(|(_, members)| members.iter().any(|m| m.holds == Holds::Answer));
        if !answered {
            self.tell(
                path,
                "no answer is there to be judged",
                "put the judge after the step that asks for one",
            );
        }
        let own = match step.prompt.0.as_slice() {
            [] => {
                if !step.reply.is_empty() || step.accept.is_some() {
                    let help = "name its prompt, or leave `reply` and `accept` out";
                    self.tell(path, "a rubric of its own needs a prompt", help);
                }
                None
            }
            [prompt] => self.own_rubric(path, name, prompt, step),
            _ => {
                self.tell(
                    &format!("{path}.prompt"),
                    "a judge has one prompt",
                    "keep one of them",
                );
                None
            }
        };
        let role = Role::read(step.model.as_deref(), Role::Judge);
        self.push(name, Does::Judge(JudgeStep { role, own }), when);
    }

    pub(super) fn own_rubric(
        &mut self,
        path: &str,
        name: &str,
        prompt: &str,
        step: &StepFile,
    ) -> Option<OwnRubric> {
        let reply = self.reply(path, name, step);
        let scored = |member: &Member| member.name == "score" && matches!(member.holds, Holds::Number { .. });
        if !reply.members.iter().any(scored) {
            let help = "list `- score: {number: {min: 1, max: 5}}` in `reply`";
            self.tell(path, "the judge's reply has no number `score`", help);
            return None;
        }
        if self.sampled.is_none() {
            self.fill(&reply.members);
        }
        let accept = step.accept.as_ref().and_then(|text| {
            let before = self.fields.len();
            let members = reply.members.iter().map(|m| (m.name.clone(), m.holds.clone()));
            self.fields.extend(members.collect::<Vec<_>>());
            let condition = self.condition(&format!("{path}.accept"), text);
            self.fields.truncate(before);
            condition
        });
        Some(OwnRubric {
            prompt: prompt.to_owned(),
            reply,
            accept,
        })
    }

    pub(super) fn distinct(&mut self, path: &str, field: &str, when: Option<Condition>) {
        let path = format!("{path}.distinct");
        let among = match self.holds(field) {
            Some(Holds::Question | Holds::Text | Holds::Messages | Holds::ToolMessages) => Among::Questions,
            Some(Holds::Answer) => Among::Answers,
            Some(_) => {
                return self.tell(
                    &path,
                    format!("`{field}` is not a text"),
                    "name a question, a text, an answer or the messages of a dialogue",
                );
            }
            None => {
                let message = format!("no step before it makes the field `{field}`");
                return self.tell(&path, message, "name a field that a reply fills");
            }
        };
        if among == Among::Answers && self.kind != Strategy::AnswerAugmentation {
            let message = "answers are compared with other answers to the seed's question, and this recipe asks another";
            self.tell(&path, message, "compare the question instead");
        }
        if when.is_some() {
            self.tell(&path, "duplicates are always dropped", "leave `when` out");
        }
        let does = Does::Distinct {
            field: field.to_owned(),
            among,
        };
        self.push("distinct", does, None);
    }

    pub(super) fn choose(&mut self, path: &str, name: &str, step: &StepFile, when: Option<Condition>) {
        let path = format!("{path}.choose");
        let Some((of, members)) = self.sampled.take() else {
            return self.tell(
                &path,
                "there are no samples to choose from",
                format!("give the step `{name}` a number of `samples`"),
            );
        };
        if self.steps.get(of).is_none_or(|step| step.name != name) {
            self.tell(
                &path,
                format!("`{name}` is not the step that was sampled"),
                "name that step",
            );
        }
        let keep = step.keep.unwrap_or_default();
        if step.margin.is_some() && keep != Keep::BestAndWorst {
            self.tell(
                &path,
                "`margin` means nothing where one is kept",
                "add `keep: best_and_worst`",
            );
        }
        self.fill(&members);
        if keep == Keep::BestAndWorst {
            let pair = ["chosen", "rejected"].map(|name| Member::new(name, Holds::Answer));
            self.fill(&pair);
            self.fill(&[Member::new("margin", Holds::Number { min: 0.0, max: 5.0 })]);
        }
        let does = Does::Choose {
            of,
            keep,
            margin: step.margin.unwrap_or(0.0),
        };
        self.push("choose", does, when);
    }

    pub(super) fn repeat(&mut self, path: &str, repeat: &RepeatFile, when: Option<Condition>) {
        let path = format!("{path}.repeat");
        let start = self.steps.len();
        self.push("repeat", Does::Repeat { end: 0 }, when);
        self.in_loop = true;
        self.steps(&format!("{path}.steps"), &repeat.steps);
        self.in_loop = false;
        if repeat.steps.is_empty() {
            self.tell(&path, "the loop does nothing", "list its `steps`");
        }
        if !(1..=PASSES_MAX).contains(&repeat.at_most) {
            let message = format!("a loop of at most {} passes", repeat.at_most);
            self.tell(
                &format!("{path}.at_most"),
                message,
                format!("give 1 to {PASSES_MAX}"),
            );
        }
        let Some(until) = self.condition(&format!("{path}.until"), &repeat.until) else {
            return;
        };
        let end = self.steps.len();
        if let Some(Step {
            does: Does::Repeat { end: place },
            ..
        }) = self.steps.get_mut(start)
        {
            *place = end;
        }
        let at_most = u16::try_from(repeat.at_most).unwrap_or(u16::MAX);
        self.push(
            "again",
            Does::Again {
                start,
                until,
                at_most,
            },
            None,
        );
    }

    pub(super) fn tag(&mut self, path: &str, what: &str, when: Option<Condition>) {
        if what != "concept" {
            let message = format!("rows cannot be tagged by `{what}`");
            self.tell(&format!("{path}.tag"), message, "give `concept`");
        }
        self.push("concept", Does::TagConcept, when);
    }

    /// Calls are held against one field of tools, which is there before them and stays as it is.
    fn called_tools(&mut self, path: &str, step: &StepFile) {
        let made: Vec<&str> = self.fields_of(&Holds::Tools);
        let (mut there, calls_before) = (made.len(), !self.fields_of(&Holds::ToolMessages).is_empty());
        let mut told = Vec::new();
        for (i, member) in step.reply.iter().enumerate() {
            let path = format!("{path}.reply.{i}");
            match member.holds {
                Holds::Tools if there > 0 || calls_before || self.in_loop => told.push((
                    path,
                    "the tools of a recipe are made once, before its loops and before the messages that call them",
                    "keep one member of the type `tools`, and put its step first",
                )),
                Holds::Tools => there += 1,
                Holds::ToolMessages if there == 0 => told.push((
                    path,
                    "there are no tools to call",
                    "list `tools` at the top of the recipe, or ask for them before: `- tools: tools`",
                )),
                _ => {}
            }
        }
        for (path, message, help) in told {
            self.tell(&path, message, help);
        }
    }

    /// The members of a list's records.
    fn list(&mut self, path: &str, of: &[Member]) {
        let path = format!("{path}.list.of");
        if of.is_empty() {
            self.tell(
                &path,
                "the records hold nothing",
                "list their members, such as `- question: question`",
            );
        }
        let mut seen = BTreeSet::new();
        for member in of {
            if !is_name(&member.name) || member.name == JOB || !seen.insert(&member.name) {
                let message = format!("`{}` cannot be the name of a field of the record", member.name);
                self.tell(
                    &path,
                    message,
                    "use small letters, digits and `_`, not `job`, and each name once",
                );
            }
            if matches!(
                member.holds,
                Holds::Answer | Holds::Reasoning | Holds::List { .. }
            ) {
                let message = format!(
                    "`{}`, of the type `{}`, cannot be part of a record",
                    member.name,
                    member.holds.name()
                );
                self.tell(&path, message, "ask for it in a later step");
            }
        }
        if of.iter().filter(|member| member.holds == Holds::Question).count() > 1 {
            self.tell(
                &path,
                "one record holds two questions",
                "ask for them one after the other",
            );
        }
    }

    pub(super) fn reply(&mut self, path: &str, name: &str, step: &StepFile) -> Reply {
        let mut seen = BTreeSet::new();
        for (i, member) in step.reply.iter().enumerate() {
            let path = format!("{path}.reply.{i}");
            if !is_name(&member.name) || member.name == JOB {
                let message = format!("`{}` cannot be the name of a field", member.name);
                self.tell(&path, message, "use small letters, digits and `_`, and not `job`");
            }
            if !seen.insert(member.name.clone()) {
                self.tell(
                    &path,
                    format!("the reply has two members `{}`", member.name),
                    "keep one",
                );
            }
            match &member.holds {
                Holds::OneOf { names, .. } if names.len() < 2 => {
                    self.tell(
                        &path,
                        "a choice of fewer than two words",
                        "list the words in `names`",
                    );
                }
                Holds::Number { min, max } if min >= max => {
                    let message = format!("no number lies between {min} and {max}");
                    self.tell(&path, message, "give the least as `min` and the most as `max`");
                }
                Holds::List { of, .. } => self.list(&format!("{path}.{}", member.name), of),
                _ => {}
            }
        }
        self.called_tools(path, step);
        for holds in [Holds::Question, Holds::Answer, Holds::Reasoning] {
            let several = step.reply.iter().filter(|member| member.holds == holds).count() > 1;
            if several {
                self.tell(
                    &format!("{path}.reply"),
                    "one reply holds two of a kind",
                    "ask for them one after the other",
                );
            }
        }
        let members = step
            .reply
            .iter()
            .map(|member| Member::new(&member.name, member.holds.clone()));
        Reply {
            name: name.to_owned(),
            members: members.collect(),
        }
    }
}
