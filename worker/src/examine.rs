//! Turns a completion into a report: reads it, holds it against the rules, verifies what it says. Cheapest test first.

use gristmill_domain::answer;
use gristmill_domain::chat::{Finish, Prompt, Request, Response};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_domain::filter::{Kind, Reason, Rejection, Starts, Text};
use gristmill_domain::held_out::final_answer;
use gristmill_domain::reply::{Fields, Record, Reply, Value};
use gristmill_domain::validator::{Asked, Fault, Verdict};
use gristmill_domain::work::{Answer, HeldOutAnswer, Output, Subject, Work};

use crate::reply::{self, Answered, Read, Said};
use crate::run_context::RunContext;

/// Characters of a rejected completion that are kept.
const KEPT_CHARS: usize = 4_000;

/// The engine that verifies is broken: the completion can be judged neither right nor wrong.
#[derive(Debug)]
pub(crate) struct Unverifiable(pub(crate) String);

/// A check's end: it found something wrong, or could not look.
enum Stop {
    Rejected(Rejection),
    Unverifiable(Unverifiable),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What a completion is worth.
pub(crate) async fn examine(
    context: &RunContext,
    work: &Work,
    response: &Response,
) -> Result<Output, Unverifiable> {
    match read(context, work, response).await {
        Ok(output) => Ok(output),
        Err(Stop::Rejected(rejection)) => Ok(Output::Rejected {
            rejection,
            // Where nothing was said, what was thought shows why.
            text: [&response.text, &response.thinking]
                .into_iter()
                .find(|text| !text.trim().is_empty())
                .map_or_else(String::new, |text| text.chars().take(KEPT_CHARS).collect()),
        }),
        Err(Stop::Unverifiable(reason)) => Err(reason),
    }
}

async fn read(context: &RunContext, work: &Work, response: &Response) -> Result<Output, Stop> {
    if let Work::HeldOut {
        request,
        subject,
        member,
    } = work
    {
        let answer = held_out(context, request, subject, member.as_deref(), response).await;
        return answer
            .map(|answer| Output::Fields(answer.into()))
            .map_err(Stop::Unverifiable);
    }
    let Work::Chat {
        request,
        reply,
        subject,
    } = work
    else {
        // An embedding is no completion; the attempt never brings it here.
        return Err(Rejection::new(Reason::Format, "an embedding task got a completion").into());
    };
    let said = &Said::read(request, response)?;
    let rules = &context.filter.rules;
    // A verdict is read out of whatever a model says; anything else may be a refusal, or end before its end.
    if !reply.decides() {
        let refusals = match reply.question() {
            Some(_) => &rules.question_refusals,
            None => &rules.refusals,
        };
        whole(refusals, request, response, said)?;
    }
    let Read { mut fields, answered } = or_cut(reply::read(request, said, reply), request, response)?;
    check_records(context, reply, &mut fields);
    let question = reply.question().and_then(|member| fields.get(&member.name));
    let question = question.map(Value::shown);
    if let Some(question) = &question {
        rules.check_question(question, Finish::Stop, context.filter.validator.answers())?;
    }
    for value in fields.values() {
        if let Value::Messages(turns) = value {
            dialogue(context, turns)?;
        }
    }
    if let (Some(member), Some(answered)) = (reply.answer(), answered) {
        let mut subject = subject.clone().unwrap_or_default();
        if let Some(question) = question {
            subject.question = question;
        }
        let alone = fields.is_empty();
        let refused =
            reply.verdict().and_then(|member| fields.get(&member.name)) == Some(&Value::YesNo(false));
        let answer = match answered {
            _ if refused => None,
            Ok(answered) => match solve(context, &subject, answered).await {
                Ok(answer) => Some(answer),
                // What it came beside may be good though the answer is not.
                Err(Stop::Rejected(_)) if !alone => None,
                Err(stop) => return Err(stop),
            },
            Err(_) if !alone => None,
            Err(rejection) => return Err(rejection.into()),
        };
        fields.insert(member.name.clone(), Value::Answer(answer));
    }
    Ok(Output::Fields(fields))
}

/// The answer to a held-out question, as far as the validator can grade it: whatever is wrong with it is a figure of the model, and no
/// reason to throw it away.
async fn held_out(
    context: &RunContext,
    request: &Request,
    subject: &Subject,
    member: Option<&str>,
    response: &Response,
) -> Result<HeldOutAnswer, Unverifiable> {
    let said = Said::read(request, response).map_or_else(|_| String::new(), |said| said.text);
    let compares = context.filter.validator.compares_references();
    let (canonical, correct, detail) = match checked(context, subject, &final_answer(&said, member)).await {
        Ok(verdict) => (verdict.canonical, verdict.correct, verdict.detail),
        Err(Fault::Answer(rejection)) => (String::new(), compares.then_some(false), rejection.detail),
        Err(Fault::Unverifiable(reason)) => return Err(Unverifiable(reason)),
    };
    Ok(HeldOutAnswer {
        answer: Answer {
            reasoning: String::new(),
            canonical,
            answer: said,
            correct,
            detail,
        },
        cut: cut(request, response).is_some(),
    })
}

/// What the validator says of an answer.
async fn checked(context: &RunContext, subject: &Subject, answer: &str) -> Result<Verdict, Fault> {
    let asked = Asked {
        question: &subject.question,
        answer,
        references: &subject.references,
        passage: subject.passage.as_deref(),
        database: subject.database.as_deref(),
    };
    context.checker.check(&asked).await
}

/// Holds the questions of a list against the rules, each by itself: one that breaks them costs none of the others.
fn check_records(context: &RunContext, reply: &Reply, fields: &mut Fields) {
    let Some(((list, _), question)) = reply.list().zip(reply.question()) else {
        return;
    };
    let Some(Value::Records(records)) = fields.get_mut(list) else {
        return;
    };
    for record in records {
        let Record::Fields(members) = record else {
            continue;
        };
        let asked = members.get(&question.name).map(Value::shown).unwrap_or_default();
        let rules = &context.filter.rules;
        if let Err(rejection) = rules.check_question(&asked, Finish::Stop, context.filter.validator.answers())
        {
            *record = Record::Rejected(rejection);
        }
    }
}

/// The answer that a reply holds, once it passed the rules and was verified.
async fn solve(context: &RunContext, subject: &Subject, answered: Answered) -> Result<Answer, Stop> {
    rules(context, subject, &answered)?;
    verify(context, subject, answered).await
}

/// Refusals and cut-off replies are found on the whole completion, before anything is read out of it: a refusal is seldom JSON.
fn whole(starts: &Starts, request: &Request, response: &Response, said: &Said) -> Result<(), Rejection> {
    if let Some(start) = starts.find(&said.text) {
        return Err(Rejection::new(Reason::Refusal, start));
    }
    cut(request, response).map_or(Ok(()), Err)
}

/// Why a completion stops before its end.
fn cut(request: &Request, response: &Response) -> Option<Rejection> {
    let cut = match response.finish {
        Finish::ContentFilter => "the provider's filter cut the answer".to_owned(),
        // A raw prompt's completion is its first line; what a model says after that is never waited for.
        Finish::Length if !matches!(request.prompt, Prompt::Raw(_)) => format!(
            "the limit of {} tokens was reached before the reply's end: raise `generate.max_tokens`",
            request.max_tokens
        ),
        Finish::Length | Finish::Stop | Finish::Other => return None,
    };
    Some(Rejection::new(Reason::Truncated, cut))
}

/// What was read, or why it could not be: a reply that was cut off has no other fault.
fn or_cut<T>(read: Result<T, Rejection>, request: &Request, response: &Response) -> Result<T, Rejection> {
    read.map_err(|rejection| cut(request, response).unwrap_or(rejection))
}

/// The form by which an answer is judged. Seeds with answers of a few words say that prose is not what is wanted: an answer under
/// the rules' fewest words, but no shorter than the seeds' shortest, is a short answer.
fn form(kind: Kind, answer: &str, subject: &Subject, fewest: usize) -> Kind {
    let words = answer.split_whitespace().count();
    let as_short_as_seeds = subject
        .shortest_words
        .is_some_and(|shortest| words >= shortest.max(1) as usize);
    match kind {
        Kind::Open if words < fewest && as_short_as_seeds => Kind::Short,
        kind => kind,
    }
}

fn rules(context: &RunContext, subject: &Subject, answered: &Answered) -> Result<(), Rejection> {
    let check = |answer: &str, kind| {
        context.filter.rules.check(&Text {
            question: None,
            answer,
            finish: Finish::Stop,
            kind,
        })
    };
    let fewest = context.filter.rules.answer_words.min;
    check(
        &answered.answer,
        form(
            context.filter.validator.answers(),
            &answered.answer,
            subject,
            fewest,
        ),
    )?;
    if !answered.reasoning.is_empty() {
        // Steps of a solution are not prose: shares of symbols and stop words would drop what people write.
        check(&answered.reasoning, Kind::Short)?;
    }
    if let (Some(grounding), Some(passage)) = (&context.filter.grounding, &subject.passage) {
        let found = answer::grounding::check(&answered.answer, passage);
        if !found.holds(grounding.min_share) {
            let missing = [&found.missing_numbers, &found.missing_names, &found.missing_words]
                .map(|items| items.join(", "));
            let missing: Vec<_> = missing.into_iter().filter(|items| !items.is_empty()).collect();
            let detail = match missing.is_empty() || answer::grounding::is_verdict(&answered.answer) {
                true => "it says nothing that could be looked for in the passage".to_owned(),
                false => format!(
                    "{:.0} % stands in the passage; missing: {}",
                    100.0 * found.score,
                    missing.join("; ")
                ),
            };
            return Err(Rejection::new(Reason::Ungrounded, detail));
        }
    }
    Ok(())
}

/// Rules for what user and assistant say in a dialogue: as for steps of a solution, since neither has to be prose.
fn dialogue(context: &RunContext, turns: &[Turn]) -> Result<(), Rejection> {
    let spoken =
        |turn: &&Turn| matches!(turn.role, Speaker::User | Speaker::Assistant) && !turn.content.is_empty();
    for turn in turns.iter().filter(spoken) {
        context.filter.rules.check(&Text {
            question: None,
            answer: &turn.content,
            finish: Finish::Stop,
            kind: Kind::Short,
        })?;
    }
    Ok(())
}

/// The reasoning, with the model's thinking before it where traces are wanted. Thinking that is no clean text is left out, and costs no row:
/// nobody asked for it.
fn traced(context: &RunContext, subject: &Subject, thinking: String, reasoning: String) -> String {
    let clean = |text: &str| {
        let text = Text {
            question: None,
            answer: text,
            finish: Finish::Stop,
            kind: Kind::Short,
        };
        context.filter.rules.check(&text).is_ok()
    };
    if !subject.traces || thinking.is_empty() || !clean(&thinking) {
        return reasoning;
    }
    if reasoning.is_empty() {
        thinking
    } else {
        format!("{thinking}\n\n{reasoning}")
    }
}

/// Brings the answer into its canonical form and compares it with the references.
async fn verify(context: &RunContext, subject: &Subject, answered: Answered) -> Result<Answer, Stop> {
    let Answered {
        thinking,
        reasoning,
        answer,
    } = answered;
    let reasoning = traced(context, subject, thinking, reasoning);
    let verdict = checked(context, subject, &answer)
        .await
        .map_err(|fault| match fault {
            Fault::Answer(rejection) => Stop::Rejected(rejection),
            Fault::Unverifiable(reason) => Stop::Unverifiable(Unverifiable(reason)),
        })?;
    let Verdict {
        canonical,
        correct,
        detail,
    } = verdict;
    Ok(Answer {
        reasoning,
        answer,
        canonical,
        correct,
        detail,
    })
}
