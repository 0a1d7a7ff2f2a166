//! Evaluations: held-out questions, asked and graded.

use anyhow::anyhow;
use gristmill_blob::LocalBlobs;
use gristmill_runs::RunFolder;
use gristmill_runs::evaluation::{self, Evaluation, RESULT_FOLDER};

use crate::args::OutputStyle;
use crate::failure::Failure;
use crate::launch::to_its_end;
use crate::prepare::Ready;
use crate::view::View;
use crate::{print, resume};

/// Asks what a job wants to be asked, or goes on where an earlier start stopped, and writes the result.
pub(crate) async fn carry_out(
    ready: &Ready,
    job: &str,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    let prepared = &ready.prepared;
    let output_dir = prepared.start.base.join(&prepared.start.job.output.dir);
    let folder = RunFolder::of(&output_dir, prepared.start.run);
    let target = folder.root().join(RESULT_FOLDER);
    folder.claim(job).await.map_err(Failure::Input)?;
    if target.exists() {
        let there = evaluation::read_evaluation(&target).map_err(Failure::Input)?;
        tell(&there, &folder, output);
        return Ok(());
    }
    resume::check_books(&folder).map_err(Failure::Input)?;
    for warning in prepared.warnings().map_err(Failure::Input)? {
        view.warn(&warning);
    }
    let blobs = LocalBlobs::new(folder.state());
    let (finished, account) = to_its_end(ready, &folder, &blobs, &view).await?;
    let result = evaluation::evaluation(
        &blobs,
        &target,
        &prepared.start,
        &prepared.seeds,
        &finished,
        &account,
    )
    .await?;
    tell(&result, &folder, output);
    if result.models.iter().all(|model| model.scorecard.is_none()) {
        return Err(Failure::Other(anyhow!(
            "no question was answered: {}",
            result.end
        )));
    }
    Ok(())
}

fn tell(result: &Evaluation, folder: &RunFolder, output: OutputStyle) {
    let target = folder.root().join(RESULT_FOLDER);
    let mut json = serde_json::to_value(result).unwrap_or_default();
    if let Some(members) = json.as_object_mut() {
        members.insert("result".to_owned(), target.display().to_string().into());
    }
    let text = format!(
        "{}result: {}\n",
        evaluation::told(result),
        gristmill_runs::shown(&target)
    );
    print::either(output, &json, &text);
}
