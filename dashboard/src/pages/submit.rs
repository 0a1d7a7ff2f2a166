//! A job from a page: uploaded, checked, shown with what it would do and cost, and submitted once that is confirmed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Multipart};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use gristmill_domain::words::many;
use maud::{Markup, html};

use super::act::{Fields, check_role};
use crate::app::App;
use crate::checked_jobs::HOLDS;
use crate::guard::check_form;
use crate::intake::{CheckedJob, Intake, Upload, UploadedFile};
use crate::layout;
use crate::link;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::session::secret;
use crate::source::Refusal;
use crate::text::{Prose, Shown};

/// Bytes of an upload at most.
const UPLOAD_BYTES_MAX: usize = 16 << 20;
/// Files of an upload at most, the job included.
const FILES_MAX: usize = 32;
/// Characters of a file's name at most.
const NAME_CHARS_MAX: usize = 120;
/// What a job is called that was written into the page.
const PASTED: &str = "job.yaml";

/// Addresses of the pages.
pub(super) fn routes() -> Router<Arc<App>> {
    let upload = post(check).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX));
    Router::new()
        .route("/submit", get(ask).merge(upload))
        .route("/submit/confirm", post(confirm))
}

fn intake(asked: &Asked) -> Result<Arc<dyn Intake>, Refusal> {
    check_role(asked)?;
    asked.app.source.intake().ok_or_else(|| {
        Refusal::forbidden("No jobs are taken here. `gristmill submit` sends one to a coordinator.")
    })
}

async fn ask(asked: Asked) -> Response {
    match intake(&asked) {
        Ok(_) => form(&asked, "", None, StatusCode::OK),
        Err(refusal) => asked.refused(&refusal),
    }
}

/// The form, with what was wrong with what came before.
fn form(asked: &Asked, pasted: &str, wrong: Option<&str>, status: StatusCode) -> Response {
    let content = html! {
        @if let Some(wrong) = wrong {
            section role="alert" aria-labelledby="wrong-title" {
                h2 #wrong-title { "The job cannot be submitted" }
                p { "Nothing was kept and nothing was spent." }
                pre { (Shown(wrong)) }
            }
        }
        p {
            "The job is checked as " code { "gristmill submit" } " checks it, and what it would do and cost is shown before anything begins. "
            "It may name the files that are uploaded with it, by their names, and no others. Keys stay with the workers: name their variables ("
            code { "key_env" } ")."
        }
        form.ask method="post" action="/submit" enctype="multipart/form-data" {
            input type="hidden" name="form_token" value=(asked.visitor.session.form_token);
            label for="job" { "Job file" }
            input #job type="file" name="job" accept=".yaml,.yml";
            label for="pasted" { "or the job itself" }
            textarea #pasted name="pasted" rows="14" cols="80" spellcheck="false" { (pasted) }
            label for="files" { "Seeds, and other files that the job names" }
            input #files type="file" name="files" multiple;
            p.quiet { "At most 16 MiB and 32 files. Larger seeds, documents, databases and programs go through " code { "gristmill submit" } "." }
            div.acts { button { "Check it" } a.button href="/runs" { "Back to the runs" } }
        }
    };
    let page = Page::new("Submit a job", Part::Runs)
        .with("submit", content)
        .still();
    layout::answer(status, layout::whole(&page, &asked.frame(), "/submit"))
}

/// What came with a form.
#[derive(Default)]
struct Sent {
    form_token: Option<String>,
    pasted: String,
    job: Option<UploadedFile>,
    files: Vec<UploadedFile>,
}

async fn check(asked: Asked, body: Multipart) -> Response {
    let intake = match intake(&asked) {
        Ok(intake) => intake,
        Err(refusal) => return asked.refused(&refusal),
    };
    let sent = match receive(body).await {
        Ok(sent) => sent,
        Err(refusal) => return asked.refused(&refusal),
    };
    if let Err(refusal) = check_form(&asked.headers, &asked.visitor.session, sent.form_token.as_deref()) {
        return asked.refused(&refusal);
    }
    let pasted = sent.pasted.clone();
    let checked = match upload(sent) {
        Ok(upload) => intake.check(upload).await,
        Err(wrong) => Err(wrong),
    };
    match checked {
        Ok(job) => plan(&asked, job),
        Err(wrong) => form(&asked, &pasted, Some(&wrong), StatusCode::UNPROCESSABLE_ENTITY),
    }
}

async fn receive(mut body: Multipart) -> Result<Sent, Refusal> {
    let unread = |error: axum::extract::multipart::MultipartError| {
        let text = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "The upload is larger than 16 MiB: nothing was kept. Send larger files with `gristmill submit`.".to_owned(),
            _ => format!("The form cannot be read: {}", error.body_text()),
        };
        Refusal::new(error.status(), text)
    };
    let mut sent = Sent::default();
    let mut fields = 0;
    while let Some(field) = body.next_field().await.map_err(unread)? {
        fields += 1;
        if fields > FILES_MAX + 3 {
            return Err(Refusal::bad_request(format!(
                "More than {FILES_MAX} files were sent: nothing was kept."
            )));
        }
        let (name, file) = (
            field.name().unwrap_or_default().to_owned(),
            field.file_name().unwrap_or_default().to_owned(),
        );
        let bytes = field.bytes().await.map_err(unread)?.to_vec();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match name.as_str() {
            "form_token" => sent.form_token = Some(text(bytes)),
            "pasted" => sent.pasted = text(bytes),
            // A browser sends an empty field where no file was chosen.
            "job" | "files" if file.is_empty() => {}
            "job" => sent.job = Some(UploadedFile { name: file, bytes }),
            "files" => sent.files.push(UploadedFile { name: file, bytes }),
            _ => {}
        }
    }
    Ok(sent)
}

/// The job and its files; `Err`: what cannot be uploaded so.
fn upload(sent: Sent) -> Result<Upload, String> {
    let job = match (sent.job, sent.pasted.trim().is_empty()) {
        (Some(_), false) => {
            return Err(
                "A job file was chosen, and another job was written into the page: send one of them."
                    .to_owned(),
            );
        }
        (Some(job), true) => job,
        (None, false) => UploadedFile {
            name: PASTED.to_owned(),
            bytes: sent.pasted.into_bytes(),
        },
        (None, true) => return Err("There is no job: choose a file, or write one into the page.".to_owned()),
    };
    let mut names = std::collections::BTreeSet::new();
    for file in std::iter::once(&job).chain(&sent.files) {
        check_name(&file.name)?;
        if !names.insert(&file.name) {
            return Err(format!("Two files are called `{}`.", file.name));
        }
    }
    Ok(Upload {
        job,
        files: sent.files,
    })
}

/// Refuses names that are no plain file's.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ' | '+' | '(' | ')');
    let fine = !name.starts_with('.') && name.chars().all(plain) && name.chars().count() <= NAME_CHARS_MAX;
    match fine {
        true => Ok(()),
        false => Err(format!(
            "A file cannot be uploaded as `{name}`: names have letters, digits, spaces and `._-+()`, at most {NAME_CHARS_MAX} characters, and do not begin with a dot."
        )),
    }
}

/// The page that shows what a checked job would do, and asks.
fn plan(asked: &Asked, job: CheckedJob) -> Response {
    let id = secret();
    let job = asked.app.checked.keep(id.clone(), &asked.visitor.id, job);
    let minutes = HOLDS.as_secs() / 60;
    let content = html! {
        p { "It makes run " span.id { (job.run) } ". Nothing has begun." }
        (warnings(&job))
        h2 { "What it would do and cost" }
        pre { (Shown(&job.plan)) }
        form.ask method="post" action="/submit/confirm" {
            input type="hidden" name="form_token" value=(asked.visitor.session.form_token);
            input type="hidden" name="checked" value=(id);
            div.acts { button { "Submit it" } a.button href="/submit" { "Choose other files" } }
            p.quiet { "The checked job is kept in memory for " (many(minutes, "minute")) "." }
        }
    };
    let page = Page::new(format!("Submit {}?", job.name), Part::Runs)
        .with("plan", content)
        .still();
    layout::answer(StatusCode::OK, layout::whole(&page, &asked.frame(), "/submit"))
}

fn warnings(job: &CheckedJob) -> Markup {
    html! {
        @if !job.warnings.is_empty() {
            ul.gates { @for warning in &job.warnings { li.warn { span.sign aria-hidden="true" { "!" } span { (Prose(warning)) } } } }
        }
    }
}

async fn confirm(asked: Asked, Form(fields): Form<Fields>) -> Response {
    let submitted = async {
        check_role(&asked)?;
        let token = fields.get("form_token").map(String::as_str);
        check_form(&asked.headers, &asked.visitor.session, token)?;
        let id = fields.get("checked").map_or("", String::as_str);
        let job = asked.app.checked.get(id, &asked.visitor.id);
        let job = job.ok_or_else(|| {
            Refusal::new(
                StatusCode::GONE,
                "The checked job is not kept any more: nothing was submitted. Upload it again.",
            )
        })?;
        let run = asked
            .app
            .source
            .submit(asked.visitor.session.who, job.parts.clone())
            .await?;
        asked.app.checked.forget(&asked.visitor.id);
        Ok::<String, Refusal>(run)
    };
    match submitted.await {
        // See other: loading the page again does nothing again.
        Ok(run) => Redirect::to(&link::run(&run)).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_files() {
        for name in ["job.yaml", "seeds (1).jsonl", "fragen-2.csv", "größe.txt"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "../x",
            "/etc/passwd",
            "a/b",
            "a\\b",
            ".hidden",
            "..",
            "a\0b",
            "a\u{202e}b",
            &"x".repeat(200),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_job_is_sent_once() {
        let file = |name: &str| UploadedFile {
            name: name.to_owned(),
            bytes: b"x".to_vec(),
        };
        let sent = |job: Option<&str>, pasted: &str, files: &[&str]| Sent {
            form_token: None,
            pasted: pasted.to_owned(),
            job: job.map(file),
            files: files.iter().map(|name| file(name)).collect(),
        };
        assert_eq!(
            upload(sent(Some("a.yaml"), " ", &["s.jsonl"])).unwrap().job.name,
            "a.yaml"
        );
        assert_eq!(upload(sent(None, "seeds: {}", &[])).unwrap().job.name, PASTED);
        for (wrong, why) in [
            (sent(Some("a.yaml"), "b", &[]), "another job"),
            (sent(None, "", &[]), "no job"),
            (sent(Some("a.yaml"), "", &["s", "s"]), "Two files"),
            (sent(None, "b", &["job.yaml"]), "Two files"),
            (sent(Some("a.yaml"), "", &["../s"]), "cannot be uploaded"),
        ] {
            assert!(upload(wrong).unwrap_err().contains(why), "{why}");
        }
    }
}
