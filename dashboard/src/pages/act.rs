//! Asks before an act on a run is carried out, and carries it out.

use std::collections::HashMap;

use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_proto::v1;
use maud::{Markup, html};

use super::parts::{Budget, RowCounts, goes_on, state, state_mark};
use crate::guard::check_form;
use crate::journal_counts::is_closed;
use crate::link;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::session::secret;
use crate::source::{Act, Refusal, Role};
use crate::text::Shown;

/// Fields of a form.
pub(super) type Fields = HashMap<String, String>;

/// The page that asks.
pub(super) async fn ask(asked: Asked, Path((run, verb)): Path<(String, String)>) -> Response {
    asked.answer(asked_of(&asked, &run, &verb).await)
}

/// Carries out what the page asked for.
pub(super) async fn carry_out(
    asked: Asked,
    Path((run, verb)): Path<(String, String)>,
    Form(fields): Form<Fields>,
) -> Response {
    let doing = async {
        let act = act(&run, &verb, &fields)?;
        asked.app.source.act(asked.visitor.session.who, act).await
    };
    carried_out(&asked, &fields, &link::run(&run), doing).await
}

/// Does what a form asks for, once it is known to be one of this session, and leads to the page that shows what came of it.
pub(super) async fn carried_out(
    asked: &Asked,
    fields: &Fields,
    then: &str,
    doing: impl Future<Output = Result<(), Refusal>>,
) -> Response {
    let form_token = fields.get("form_token").map(String::as_str);
    let done = match check_form(&asked.headers, &asked.visitor.session, form_token) {
        Ok(()) => doing.await,
        Err(refusal) => Err(refusal),
    };
    match done {
        // See other: loading the page again does nothing again.
        Ok(()) => Redirect::to(then).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

/// Refuses who may not change anything, before anything is asked.
pub(super) fn check_role(asked: &Asked) -> Result<(), Refusal> {
    if let Some(why) = asked.app.source.read_only() {
        return Err(Refusal::forbidden(why));
    }
    match asked.visitor.session.who.role < Role::Operator {
        true => Err(Refusal::forbidden(
            "A viewer may look, and change nothing: sign in with an operator's token.",
        )),
        false => Ok(()),
    }
}

/// What can be done with a run as it stands: verbs, and how they are called on a button.
pub(super) fn possible(run: &v1::Run) -> Vec<(&'static str, &'static str)> {
    let state = run.state();
    let goes_on = goes_on(run) && state != v1::RunState::Assembling && !is_closed(run);
    let all = [
        (
            "pause",
            "Pause…",
            goes_on && matches!(state, v1::RunState::Running | v1::RunState::Waiting),
        ),
        ("resume", "Resume…", state == v1::RunState::Paused),
        ("raise", "Set its budget…", state != v1::RunState::Cancelled),
        ("cancel", "Cancel…", goes_on),
        (
            "keep",
            "Keep its rows…",
            state == v1::RunState::Cancelled && run.dataset.is_empty(),
        ),
    ];
    let possible = all.into_iter().filter(|(.., possible)| *possible);
    possible.map(|(verb, name, _)| (verb, name)).collect()
}

/// Why nothing is asked: the run has changed since the page was made that led here.
fn refuse_impossible(run: &v1::Run, verb: &str, cluster: bool) -> Result<(), Refusal> {
    const VERBS: [&str; 5] = ["pause", "resume", "raise", "cancel", "keep"];
    if !VERBS.contains(&verb) || possible(run).iter().any(|(name, _)| *name == verb) {
        return Ok(());
    }
    let (_, _, state) = state(run, cluster);
    Err(Refusal::new(
        StatusCode::CONFLICT,
        format!(
            "This run is {state}, and there is nothing to {verb}: its page says what can be done with it."
        ),
    ))
}

async fn asked_of(asked: &Asked, run: &str, verb: &str) -> Result<Page, Refusal> {
    check_role(asked)?;
    let run = asked.app.source.run(asked.visitor.session.who, run).await?;
    refuse_impossible(&run, verb, asked.app.source.is_cluster())?;
    let rows = RowCounts::reported(&run).accepted;
    let rows = gristmill_domain::words::many(rows, "accepted row");
    let (title, says, fields, button) = match verb {
        "pause" => (
            "Pause",
            "Nothing new begins. Calls in flight are finished and booked. It can be resumed at any time.".to_owned(),
            html! {
                label for="reason" { "Why, for those who find it paused" }
                input #reason type="text" name="reason" maxlength="200" placeholder="by an operator";
            },
            "Pause it",
        ),
        "resume" => ("Resume", "It goes on where it stopped, within its budget.".to_owned(), html! {}, "Resume it"),
        "cancel" => (
            "Cancel",
            format!("It ends for good: a cancelled run cannot be resumed. It has {rows}. Calls in flight are still booked when they end."),
            html! {
                label.check { input type="checkbox" name="keep" value="yes" checked; "Make a dataset of its accepted rows" }
            },
            "Cancel it for good",
        ),
        "keep" => ("Keep the rows of", format!("A dataset is made of its {rows}. The run stays cancelled."), html! {}, "Make the dataset"),
        "raise" => (
            "Set the budget of",
            "The limit is absolute: the whole of what the run may spend, what is spent included. A run that ended for want of budget is taken up again. A frozen one goes on: setting its limit says that you have looked at its books."
                .to_owned(),
            limits(&Budget::of(&run)),
            "Set it",
        ),
        other => return Err(Refusal::not_found(format!("There is nothing called `{other}` to do with a run."))),
    };
    let danger = verb == "cancel";
    let content = html! {
        p { (state_mark(&run, asked.app.source.is_cluster())) " " (Shown(&run.name)) }
        p { (says) }
        form.ask method="post" action=(link::act(&run.run, verb)) {
            input type="hidden" name="form_token" value=(asked.visitor.session.form_token);
            (fields)
            div.acts {
                button.danger[danger] { (button) }
                a.button href=(link::run(&run.run)) { "Leave it as it is" }
            }
        }
    };
    let kind = asked
        .app
        .evaluations
        .kind(asked.app.source.as_ref(), asked.visitor.session.who, &run.run);
    Ok(Page::new(format!("{title} run {}?", run.run), Part::Runs)
        .of(&run.run, kind.await)
        .with("ask", content)
        .still())
}

fn limits(budget: &Budget) -> Markup {
    let usd = budget.limit.usd.map(|usd| format!("{:.2}", usd.as_usd()));
    let calls = budget.limit.calls;
    html! {
        p { "Now: " (budget.limit) ". Used: " ((budget.gone() + budget.held).in_words()) "." }
        input type="hidden" name="request_id" value=(secret());
        input type="hidden" name="expected_usd" value=[budget.limit.usd.map(|usd| usd.0)];
        input type="hidden" name="expected_calls" value=[calls];
        @if usd.is_some() || calls.is_none() {
            label for="usd" { "Limit in US dollars" }
            input #usd type="text" inputmode="decimal" name="usd" value=[usd];
        }
        @if calls.is_some() {
            label for="calls" { "Limit in calls" }
            input #calls type="text" inputmode="numeric" name="calls" value=[calls];
        }
    }
}

fn act(run: &str, verb: &str, fields: &Fields) -> Result<Act, Refusal> {
    let run = run.to_owned();
    let field = |name: &str| fields.get(name).map_or("", |text| text.trim());
    Ok(match verb {
        "pause" => Act::Pause {
            run,
            reason: field("reason").to_owned(),
        },
        "resume" => Act::Resume { run },
        "cancel" => Act::Cancel {
            run,
            keep: field("keep") == "yes",
        },
        "keep" => Act::Cancel { run, keep: true },
        "raise" => raise(run, &field)?,
        other => {
            return Err(Refusal::not_found(format!(
                "There is nothing called `{other}` to do with a run."
            )));
        }
    })
}

fn raise<'a>(run: String, field: &impl Fn(&str) -> &'a str) -> Result<Act, Refusal> {
    let number = |name: &str| match field(name) {
        "" => Ok(None),
        text => text.replace(',', "").parse::<u64>().map(Some).map_err(|_| {
            Refusal::bad_request(format!(
                "`{text}` is not a number of {name}: nothing was changed."
            ))
        }),
    };
    let usd = match field("usd").trim_start_matches('$') {
        "" => None,
        text => Some(
            text.replace(',', "")
                .parse()
                .ok()
                .and_then(MicroUsd::from_usd_ceil)
                .ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "`{text}` is not an amount of US dollars: nothing was changed."
                    ))
                })?,
        ),
    };
    let expected = Limit {
        usd: number("expected_usd")?.map(MicroUsd),
        calls: number("expected_calls")?,
    };
    let limit = Limit {
        usd,
        calls: number("calls")?,
    };
    if limit.usd.is_none() && limit.calls.is_none() {
        return Err(Refusal::bad_request(
            "A run has a limit: name one in US dollars or in calls. Nothing was changed.",
        ));
    }
    Ok(Act::Raise {
        run,
        request_id: field("request_id").to_owned(),
        expected,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn only_what_can_be_done_is_offered() {
        let run = |state: v1::RunState, closed: bool| {
            let books = match closed {
                true => v1::account_state::State::Closed(v1::account_state::Closed {}),
                false => v1::account_state::State::Active(v1::account_state::Active {}),
            };
            v1::Run {
                state: state.into(),
                account: Some(v1::Account {
                    state: Some(v1::AccountState { state: Some(books) }),
                    ..v1::Account::default()
                }),
                ..v1::Run::default()
            }
        };
        let verbs = |state, closed| {
            let possible = possible(&run(state, closed));
            possible.into_iter().map(|(verb, _)| verb).collect::<Vec<_>>()
        };
        assert_eq!(verbs(v1::RunState::Running, false), ["pause", "raise", "cancel"]);
        assert_eq!(verbs(v1::RunState::Paused, false), ["resume", "raise", "cancel"]);
        assert_eq!(verbs(v1::RunState::Finished, true), ["raise"]);
        assert_eq!(
            verbs(v1::RunState::Waiting, true),
            ["raise"],
            "only its dataset is missing"
        );
        assert_eq!(verbs(v1::RunState::Cancelled, true), ["keep"]);
        let finished = run(v1::RunState::Finished, true);
        assert_eq!(refuse_impossible(&finished, "raise", true), Ok(()));
        let refused = refuse_impossible(&finished, "pause", true).unwrap_err();
        assert!(refused.text.contains("is finished"), "{}", refused.text);
    }

    #[test]
    fn a_limit_is_read_as_it_is_written_and_nothing_is_guessed() {
        let raised = |pairs: &[(&str, &str)]| act("27d5", "raise", &fields(pairs));
        let Ok(Act::Raise { expected, limit, .. }) = raised(&[
            ("usd", "$1,025.50"),
            ("expected_usd", "1000000"),
            ("request_id", "x"),
        ]) else {
            panic!("it is a limit");
        };
        assert_eq!((limit.usd, limit.calls), (Some(MicroUsd(1_025_500_000)), None));
        assert_eq!(expected.usd, Some(MicroUsd(1_000_000)));
        for wrong in [&[("usd", "much")][..], &[("calls", "-4")], &[("usd", "NaN")], &[]] {
            assert_eq!(
                raised(wrong).unwrap_err().status,
                StatusCode::BAD_REQUEST,
                "{wrong:?}"
            );
        }
        assert_eq!(
            act("27d5", "explode", &Fields::new()).unwrap_err().status,
            StatusCode::NOT_FOUND
        );
    }
}
