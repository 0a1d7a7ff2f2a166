//! Dead letters by stage and reason; putting them back, or dropping them, all that match at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{many, thousands};
use gristmill_proto::v1;
use maud::{Markup, html};
use serde::Deserialize;

use super::act::{Fields, carried_out, check_role};
use crate::app::App;
use crate::link::{self, encoded};
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Act, Refusal, Role, Source, Who};
use crate::text::{Shown, time};

/// Letters that are read at once; the API gives no more.
const CHUNK: u32 = 500;
/// Letters that are looked through.
const LOOKED_AT_MAX: usize = 20_000;
/// Letters of a filter that are shown one by one.
const SHOWN_MAX: usize = 100;

/// Which letters; what is empty is every.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    stage: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    run: String,
}

impl Filter {
    fn holds(&self, letter: &v1::DeadLetter) -> bool {
        (self.stage.is_empty() || self.stage == stage(letter))
            && (self.reason.is_empty() || self.reason == letter.reason)
            && (self.run.is_empty() || self.run == letter.run)
    }

    fn query(&self) -> String {
        let pairs = [
            ("stage", &self.stage),
            ("reason", &self.reason),
            ("run", &self.run),
        ];
        let named = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let parts: Vec<String> = named
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        parts.join("&")
    }
}

fn stage(letter: &v1::DeadLetter) -> &'static str {
    let named = Stage::ALL
        .into_iter()
        .find(|stage| v1::Stage::from(*stage) == letter.stage());
    named.map_or("unknown", Stage::name)
}

/// All letters that match, the newest first, and whether more were not looked at.
async fn matching(
    source: &dyn Source,
    who: Who,
    filter: &Filter,
) -> Result<(Vec<v1::DeadLetter>, bool), Refusal> {
    let (mut found, mut before, mut looked_at) = (Vec::new(), 0, 0);
    loop {
        let letters = source.dead_letters(who, before, CHUNK).await?;
        let Some(last) = letters.last().map(|letter| letter.number) else {
            return Ok((found, false));
        };
        (before, looked_at) = (last, looked_at + letters.len());
        found.extend(letters.into_iter().filter(|letter| filter.holds(letter)));
        if looked_at >= LOOKED_AT_MAX {
            return Ok((found, true));
        }
    }
}

pub(super) async fn dead_letters(asked: Asked, Query(filter): Query<Filter>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, filter.clone())).await
}

async fn page(app: Arc<App>, who: Who, filter: Filter) -> Result<Page, Refusal> {
    let (letters, more) = matching(app.source.as_ref(), who, &filter).await?;
    let acts = who.role == Role::Operator && app.source.read_only().is_none();
    Ok(Page::new("Dead letters", Part::Dead)
        .with("groups", groups(&letters, more, &filter, acts))
        .with("letters", list(&letters)))
}

/// Letters by stage and reason, with the first and the last time.
fn groups(letters: &[v1::DeadLetter], more: bool, filter: &Filter, acts: bool) -> Markup {
    let mut groups: BTreeMap<(&str, &str), Vec<&v1::DeadLetter>> = BTreeMap::new();
    for letter in letters {
        groups
            .entry((stage(letter), &letter.reason))
            .or_default()
            .push(letter);
    }
    let query = |stage: &str, reason: &str| {
        let narrowed = Filter {
            stage: stage.to_owned(),
            reason: reason.to_owned(),
            run: filter.run.clone(),
        };
        narrowed.query()
    };
    html! {
        p { "Messages that nobody could work on. Looking at them changes nothing." }
        @if !filter.query().is_empty() { p { a href="/dead-letters" { "All dead letters" } } }
        @if letters.is_empty() { p { "There are none" @if !filter.query().is_empty() { " that match" } "." } }
        @else {
            div.scroll { table.cards.wrap {
                caption.hidden { "Dead letters by stage and reason" }
                thead { tr { th scope="col" { "Stage" } th scope="col" { "Reason" } th scope="col" { "Letters" } th scope="col" { "Retried" } th scope="col" { "First" } th scope="col" { "Last" } @if acts { th scope="col" { span.hidden { "Acts" } } } } }
                tbody { @for ((stage, reason), group) in &groups { tr {
                    @let retried = group.iter().filter(|letter| letter.retried_ms.is_some()).count() as u64;
                    th scope="row" { (stage) }
                    td data-head="Reason" { (Shown(reason)) }
                    td data-head="Letters" { a href={ "/dead-letters?" (query(stage, reason)) } { (thousands(group.len() as u64)) } }
                    td data-head="Retried" { (thousands(retried)) }
                    td data-head="First" { (time(group.iter().map(|letter| letter.buried_ms).min().unwrap_or(0))) }
                    td data-head="Last" { (time(group.iter().map(|letter| letter.buried_ms).max().unwrap_or(0))) }
                    @if acts { td data-head="" {
                        a.button href={ "/dead-letters/retry?" (query(stage, reason)) } { "Retry…" } " "
                        a.button.danger href={ "/dead-letters/drop?" (query(stage, reason)) } { "Drop…" }
                    } }
                } } }
            } }
            @if more { p.quiet { "The newest " (thousands(LOOKED_AT_MAX as u64)) " letters were looked through; there are more." } }
        }
    }
}

fn list(letters: &[v1::DeadLetter]) -> Markup {
    html! {
        @if !letters.is_empty() {
            details #letters-list {
                summary { "One by one" }
                div.scroll { table.cards.wrap {
                    thead { tr { th scope="col" { "Number" } th scope="col" { "Stage" } th scope="col" { "Run" } th scope="col" { "Reason" } th scope="col" { "Died" } th scope="col" { "Retried" } th scope="col" { "Bytes" } } }
                    tbody { @for letter in letters.iter().take(SHOWN_MAX) { tr {
                        th scope="row" { (letter.number) }
                        td data-head="Stage" { (stage(letter)) }
                        td data-head="Run" { @if letter.run.is_empty() { "–" } @else { a href=(link::run(&letter.run)) { (letter.run) } } }
                        td data-head="Reason" { (Shown(&letter.reason)) }
                        td data-head="Died" { (time(letter.buried_ms)) }
                        td data-head="Retried" { @match letter.retried_ms { Some(at) => (time(at)), None => "no" } }
                        td data-head="Bytes" { (thousands(letter.envelope.len() as u64)) }
                    } } }
                } }
                @if letters.len() > SHOWN_MAX { p.quiet { "The newest " (SHOWN_MAX) " of " (thousands(letters.len() as u64)) "." } }
            }
        }
    }
}

/// Asks, with the number of letters that it would be.
pub(super) async fn ask(asked: Asked, Path(verb): Path<String>, Query(filter): Query<Filter>) -> Response {
    let page = async {
        check_role(&asked)?;
        let (letters, _) = matching(asked.app.source.as_ref(), asked.visitor.session.who, &filter).await?;
        let count = letters.len() as u64;
        let newest = letters.first().map_or(0, |letter| letter.number);
        let drop = match verb.as_str() {
            "retry" => false,
            "drop" => true,
            _ => {
                return Err(Refusal::not_found(
                    "There is nothing of that name to do with dead letters.",
                ));
            }
        };
        let title = match drop {
            true => format!("Drop {}?", many(count, "dead letter")),
            false => format!("Retry {}?", many(count, "dead letter")),
        };
        let content = html! {
            p { @if drop { "They are gone for good. Their tasks are not touched." } @else { "Each goes back to the queue that it came from, and is marked as retried." } }
            form.ask method="post" action={ "/dead-letters/" (verb) "?" (filter.query()) } {
                input type="hidden" name="form_token" value=(asked.visitor.session.form_token);
                input type="hidden" name="newest" value=(newest);
                input type="hidden" name="count" value=(count);
                @if drop {
                    label for="typed" { "To drop them, type their number: " (count) }
                    input #typed type="text" inputmode="numeric" name="typed" autocomplete="off" required;
                }
                div.acts { button.danger[drop] { @if drop { "Drop them" } @else { "Put them back" } } a.button href="/dead-letters" { "Leave them" } }
            }
        };
        Ok(Page::new(title, Part::Dead).with("ask", content).still())
    };
    asked.answer(page.await)
}

pub(super) async fn carry_out(
    asked: Asked,
    Path(verb): Path<String>,
    Query(filter): Query<Filter>,
    Form(fields): Form<Fields>,
) -> Response {
    let who = asked.visitor.session.who;
    let doing = async {
        let number = |name: &str| {
            fields
                .get(name)
                .and_then(|text| text.trim().replace(',', "").parse::<u64>().ok())
        };
        let (Some(newest), Some(count)) = (number("newest"), number("count")) else {
            return Err(Refusal::bad_request("The form is not whole: nothing was done."));
        };
        let (letters, _) = matching(asked.app.source.as_ref(), who, &filter).await?;
        // Those that came since the count was shown are not meant.
        let numbers: Vec<u64> = letters
            .iter()
            .map(|letter| letter.number)
            .filter(|number| *number <= newest)
            .collect();
        if numbers.len() as u64 != count {
            let text = format!(
                "{} match by now, and not {count}: nothing was done. Look again.",
                many(numbers.len() as u64, "dead letter")
            );
            return Err(Refusal::new(StatusCode::CONFLICT, text));
        }
        if verb == "drop" && number("typed") != Some(count) {
            return Err(Refusal::bad_request(format!(
                "The number that was typed is not {count}: nothing was dropped."
            )));
        }
        for numbers in numbers.chunks(CHUNK as usize) {
            let numbers = numbers.to_vec();
            let act = match verb.as_str() {
                "retry" => Act::RetryDead { numbers },
                "drop" => Act::DropDead { numbers },
                _ => {
                    return Err(Refusal::not_found(
                        "There is nothing of that name to do with dead letters.",
                    ));
                }
            };
            asked.app.source.act(who, act).await?;
        }
        Ok(())
    };
    carried_out(&asked, &fields, "/dead-letters", doing).await
}
