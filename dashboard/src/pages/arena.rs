//! The blind arena: what it is about and how far one is, one question with its answers side by side, and the vote on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gristmill_domain::words::{many, thousands};
use gristmill_picture::parts::Severity;
use gristmill_runs::evaluation::{
    Arena, Asked as Question, Choice, Contest, MODELS_MAX, Queue, Vote, answer_hash, read_votes,
};
use maud::{Markup, html};

use super::act::{Fields, carried_out};
use super::arena_answers::{blind, references, revealed};
use super::arena_asked::{ArenaAsked, check_evaluates};
use super::long_text;
use super::result_parts::verdict;
use super::rows_asked::{Pairs, address};
use crate::link;
use crate::live::Asked;
use crate::page::{Kind, Page, Part};
use crate::results::Found;
use crate::source::{Act, Refusal};
use crate::text::{Prose, Shown, now_ms};

/// An evaluation's answers with the votes on them, for a visitor.
struct Site {
    run: String,
    wanted: ArenaAsked,
    arena: Arc<Arena>,
    models: Vec<usize>,
    /// The last vote of the visitor on the answers of these models, where they are still the same.
    votes: HashMap<Question, Vote>,
}

impl Site {
    async fn open(asked: &Asked, run: String, pairs: &Pairs) -> Result<Self, Refusal> {
        let (source, who) = (asked.app.source.as_ref(), asked.visitor.session.who);
        check_evaluates(&asked.app, who, &run).await?;
        let wanted = ArenaAsked::read(pairs, source.voter(who))?;
        let folder = source.run_folder(who, &run).await?;
        let result = match asked.app.results.of(&run, &folder).await? {
            Found::Result(result) => result,
            Found::Reading => {
                return Err(Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The answers are being read: load the page again in a moment.",
                ));
            }
            Found::Nothing => {
                return Err(Refusal::not_found(format!(
                    "Evaluation {run} has no result yet: answers are voted on once it has ended."
                )));
            }
        };
        let arena = Arc::clone(&result.arena);
        if arena.models().len() < 2 {
            return Err(Refusal::not_found(
                "This evaluation asked one model: there is nothing to set beside its answers. `gristmill eval` also asks the base, and with `--teacher` \
                 or `--previous` others.",
            ));
        }
        let models = wanted.models(&arena)?;
        let votes = tokio::task::spawn_blocking(move || read_votes(&folder)).await;
        let votes = votes.map_err(anyhow::Error::from)??.votes;
        let names: BTreeSet<&str> = models
            .iter()
            .map(|place| arena.models()[*place].0.as_str())
            .collect();
        let mine = votes.into_iter().filter(|vote| {
            let of = vote.answers.keys().map(String::as_str);
            vote.voter == wanted.voter && of.eq(names.iter().copied())
        });
        // Later ones take the place of earlier ones.
        let mut votes: HashMap<Question, Vote> = mine
            .filter_map(|vote| Some((arena.asked(&vote.item, &vote.prompt_format)?, vote)))
            .collect();
        votes.retain(|_, vote| arena.has_answers_of(vote));
        Ok(Self {
            votes,
            run,
            wanted,
            arena,
            models,
        })
    }

    /// A question with the answers of these models, by its names.
    fn find(&self, item: &str, format: &str) -> Result<(Question, Contest<'_>), Refusal> {
        let found = self.arena.asked(item, format).and_then(|question| {
            let contest = self.arena.contest(question, &self.models, &self.wanted.voter)?;
            Some((question, contest))
        });
        found.ok_or_else(|| Refusal::not_found("These models have no answers to such a question."))
    }

    fn address(&self, page: &str) -> String {
        self.wanted.address(&self.run, page, &self.models)
    }

    fn contest_address(&self, question: Question) -> String {
        let (item, format) = self.arena.names(question);
        self.address(&contest_page(item, format))
    }

    fn page(&self, title: &str) -> Page {
        Page::new(title, Part::Runs)
            .of(&self.run, Kind::Evaluation)
            .still()
    }
}

/// The page of a question in a format.
fn contest_page(item: &str, format: &str) -> String {
    format!("arena/{}/{}", link::encoded(item), link::encoded(format))
}

/// The hashes by which a vote names these answers, by model.
fn hashes(contest: &Contest<'_>) -> BTreeMap<String, String> {
    let answers = contest.answers.iter();
    answers
        .map(|answer| (answer.model.clone(), answer_hash(&answer.reply)))
        .collect()
}

/// A vote as it is stored.
fn vote(voter: &str, contest: &Contest<'_>, choice: Choice) -> Vote {
    Vote {
        format: Default::default(),
        at_ms: now_ms(),
        voter: voter.to_owned(),
        item: contest.item.item.clone(),
        prompt_format: contest.format.to_owned(),
        answers: hashes(contest),
        choice,
        revised: false,
    }
}

/// What the arena is about, who votes on what, and how far they are.
pub(super) async fn start(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let page = async {
        let site = Site::open(&asked, run, &pairs).await?;
        let may = asked.app.source.check_voter(asked.visitor.session.who);
        let queue = site.arena.queue(&site.models, &site.wanted.voter);
        let voted = |question: &&Question| site.votes.contains_key(*question);
        let done = queue.asked.iter().filter(voted);
        let done = done.count();
        Ok(site
            .page("Blind arena")
            .with("arena", about(&site, &queue, done, may.err().as_ref())))
    };
    asked.answer(page.await)
}

fn about(site: &Site, queue: &Queue, done: usize, refused: Option<&Refusal>) -> Markup {
    let (all, voter) = (queue.asked.len(), &site.wanted.voter);
    html! {
        p {
            "The answers of two or three models to one question side by side, without their names: say which is the best. "
            "Names, grades and the right answer are shown after the vote."
        }
        @if let Some(refusal) = refused {
            p.verdict.warn { span.sign aria-hidden="true" { "!" } (Prose(&refusal.text)) }
        } @else {
            @if site.wanted.names_itself() || site.arena.models().len() > 2 {
              form.ask method="get" action=(link::of_run(&site.run, "arena")) {
                @if site.wanted.names_itself() {
                    label for="voter" { "Your name, under which your votes are stored" }
                    input #voter type="text" name="voter" value=(voter) maxlength="64" required autocomplete="username";
                }
                @if site.arena.models().len() > 2 {
                    fieldset {
                        legend { "Models side by side (two or " (MODELS_MAX) ")" }
                        @for (place, (name, role)) in site.arena.models().iter().enumerate() {
                            label.check {
                                input type="checkbox" name="m" value=(place) checked[site.models.contains(&place)];
                                span { (Shown(name)) " (" (role.name()) ")" }
                            }
                        }
                    }
                }
                div.acts { button { @if voter.is_empty() { "Go on" } @else { "Change" } } }
              }
            }
            @if !voter.is_empty() {
                @if all > 0 {
                    p { (Shown(voter)) " has voted on " (thousands(done as u64)) " of " (many(all as u64, "question")) "." }
                    progress max=(all) value=(done) aria-label="questions voted on" {}
                }
                @if done < all {
                    div.acts { a.button data-key="n" href=(site.address("arena/next")) { @if done == 0 { "Begin" } @else { "Go on" } " " kbd { "n" } } }
                } @else if all > 0 {
                    p { "There are no more questions. " a href=(link::of_run(&site.run, "arena/votes")) { "What the votes say" } }
                }
            }
        }
        @if all == 0 {
            (verdict(Severity::Warn, "There is no question that these models answered differently."))
        }
        p.quiet {
            "A question in a format counts once; each question comes up in one of its formats before any comes up in another. "
            @if queue.same > 0 { (many(queue.same as u64, "question")) " with the same answer of each model " (if queue.same == 1 { "is" } else { "are" }) " left out. " }
            @if queue.unanswered > 0 { (many(queue.unanswered as u64, "question")) " that a model has no graded answer to " (if queue.unanswered == 1 { "is" } else { "are" }) " left out. " }
            a href=(link::of_run(&site.run, "arena/votes")) { "Votes so far" }
        }
    }
}

/// Leads to the next question that the visitor has not voted on, after the one that was shown.
pub(super) async fn next(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let found = async {
        let site = Site::open(&asked, run, &pairs).await?;
        named(&site)?;
        let queue = site.arena.queue(&site.models, &site.wanted.voter).asked;
        let after = site.wanted.after.as_ref();
        let after = after.and_then(|(item, format)| site.arena.asked(item, format));
        let from = after
            .and_then(|after| queue.iter().position(|question| *question == after))
            .map_or(0, |place| place + 1);
        let (before, rest) = queue.split_at(from.min(queue.len()));
        let mut open = rest
            .iter()
            .chain(before)
            .filter(|question| !site.votes.contains_key(*question));
        Ok::<_, Refusal>(match open.next() {
            Some(question) => site.contest_address(*question),
            None => site.address("arena"),
        })
    };
    match found.await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

fn named(site: &Site) -> Result<(), Refusal> {
    match site.wanted.voter.is_empty() {
        false => Ok(()),
        true => Err(Refusal::bad_request(
            "Nobody said who votes: begin at the arena's first page.",
        )),
    }
}

/// A question with its answers: without names before the visitor's vote, with names after it.
pub(super) async fn contest(
    asked: Asked,
    Path((run, item, format)): Path<(String, String, String)>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let page = async {
        let site = Site::open(&asked, run, &pairs).await?;
        named(&site)?;
        let (question, contest) = site.find(&item, &format)?;
        let vote = site.votes.get(&question);
        let may = asked.app.source.check_voter(asked.visitor.session.who).is_ok();
        let here = site.contest_address(question);
        let text = |place: &str| site.address(&format!("{}/text/{place}", contest_page(&item, &format)));
        let next = site.wanted.after(&site.run, &site.models, (&item, &format));
        let token = &asked.visitor.session.form_token;
        let content = match vote {
            None => blind(&contest, may.then_some((here.as_str(), token.as_str())), &text),
            Some(vote) => revealed(&contest, vote, &site.arena, (&here, token), &text),
        };
        let title = if vote.is_none() {
            "Which answer is the best?"
        } else {
            "Voted"
        };
        Ok(site.page(title).with("contest", content).with(
            "next",
            html! {
                div.acts {
                    a.button data-key="n" href=(next) { @if vote.is_none() { "Another question" } @else { "Next question" } " " kbd { "n" } }
                    a.button href=(site.address("arena")) { "Leave the arena" }
                }
            },
        ))
    };
    asked.answer(page.await)
}

/// Stores a vote, and leads to the question with the names of the models.
pub(super) async fn carry_out(
    asked: Asked,
    Path((run, item, format)): Path<(String, String, String)>,
    Query(pairs): Query<Pairs>,
    Form(fields): Form<Fields>,
) -> Response {
    let said: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let then = address(&run, &contest_page(&item, &format), &said);
    let doing = async {
        asked.app.source.check_voter(asked.visitor.session.who)?;
        let site = Site::open(&asked, run.clone(), &pairs).await?;
        named(&site)?;
        let (question, contest) = site.find(&item, &format)?;
        let choice = choice(&contest, fields.get("choice").map_or("", String::as_str))?;
        let mut vote = vote(&site.wanted.voter, &contest, choice);
        vote.revised = site.votes.contains_key(&question);
        let act = Act::Vote {
            run,
            vote: Box::new(vote),
        };
        asked.app.source.act(asked.visitor.session.who, act).await
    };
    carried_out(&asked, &fields, &then, doing).await
}

/// What a form says: a place, counted from 1, or that no answer is the best.
fn choice(contest: &Contest<'_>, said: &str) -> Result<Choice, Refusal> {
    let place = || said.parse::<usize>().ok()?.checked_sub(1);
    match said {
        "tie" => Ok(Choice::Tie),
        "bad" => Ok(Choice::Bad),
        _ => place()
            .and_then(|place| contest.answers.get(place))
            .map(|answer| Choice::Best(answer.model.clone()))
            .ok_or_else(|| {
                Refusal::bad_request(format!(
                    "`{said}` is no vote: name an answer by its place, or say `tie` or `bad`. Nothing was stored."
                ))
            }),
    }
}

/// The whole of a text that the page shows the beginning of: the passage, or the answer at a place.
pub(super) async fn text(
    asked: Asked,
    Path((run, item, format, place)): Path<(String, String, String, String)>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let found = async {
        let site = Site::open(&asked, run, &pairs).await?;
        named(&site)?;
        let (question, contest) = site.find(&item, &format)?;
        let text = match place.as_str() {
            "passage" => contest.item.context.clone(),
            "question" => Some(contest.item.question.clone()),
            // The right answer is told after the vote.
            "reference" | "written" if !site.votes.contains_key(&question) => None,
            "reference" => Some(references(contest.item)),
            "written" => Some(contest.item.answer.clone()),
            place => {
                let place = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
                let answer = place.and_then(|place| contest.answers.get(place));
                answer.map(|answer| answer.reply.clone())
            }
        };
        text.ok_or_else(|| Refusal::not_found("There is no such text."))
    };
    match found.await {
        Ok(text) => long_text::file(
            &format!("{}-{place}", item.chars().take(12).collect::<String>()),
            text,
        ),
        Err(refusal) => asked.refused(&refusal),
    }
}
