//! The verbs that work on any table, without a job: their options from the command line, their progress and their results on the
//! terminal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use gristmill_datasets as datasets;
use gristmill_datasets::out::Unwritable;
use gristmill_datasets::{
    AgentOptions, DecontaminateOptions, DedupOptions, FilterOptions, FilterRules, Host, Interrupted,
    LikelihoodBounds, LikelihoodOf, LikelihoodOptions, MapOptions, MeasureOptions, MeasureSettings,
    OutOptions, RowsOptions, Sorted, Task, VectorOptions,
};
use gristmill_domain::chat::Price;
use gristmill_domain::filter::Kind;
use gristmill_domain::job::{LocalModel, ModelSpec};
use gristmill_jobfile::Keys;
use gristmill_ports::model::{ChatModel, Embedder};
use gristmill_runs::RunFolder;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::args::{
    AgentArgs, DecontaminateArgs, DedupArgs, FilterArgs, KindArg, LikelihoodArgs, LikelihoodOfArg, MapArgs,
    MeasureArgs, OutArgs, OutputStyle, RowsArgs, VectorArgs,
};
use crate::drive::signal;
use crate::eval;
use crate::failure::Failure;
use crate::view::{Counting, View};
use crate::workshop::{self, JobAccess, Workshop, endpoints_here};
use crate::{limits, print};

/// The screen, and the models of this machine.
struct Here(View);

#[async_trait]
impl Host for Here {
    fn counting(&self, what: &str) -> Box<dyn datasets::Counting> {
        Box::new(self.0.counting(what))
    }

    async fn embedder(&self, name: &str) -> anyhow::Result<Arc<dyn Embedder>> {
        workshop::embedder(name, Path::new("."), &self.0).await
    }

    async fn scorer(&self, model: &LocalModel) -> anyhow::Result<Arc<dyn ChatModel>> {
        let here = JobAccess::Own(std::env::current_dir().context("the current folder cannot be read")?);
        let spec = ModelSpec {
            local: Some(model.clone()),
            ..ModelSpec::default()
        };
        Workshop::new(here, endpoints_here()?, self.0.clone())
            .model(&spec)
            .await
    }
}

impl datasets::Counting for Counting {
    fn at(&mut self, done: u64, total: Option<u64>) {
        Counting::at(self, done, total);
    }
}

/// Does work that blocks, until it is done or a signal comes.
pub(crate) async fn carry_out<T: Send + 'static>(
    view: View,
    work: impl FnOnce(&Task) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let stop = CancellationToken::new();
    let task = Task::new(Arc::new(Here(view)), Handle::current(), stop.clone());
    let watching = tokio::spawn(async move {
        signal().await;
        stop.cancel();
        // Whoever asks twice means it.
        signal().await;
        crate::leave(130)
    });
    let done = tokio::task::spawn_blocking(move || work(&task)).await;
    watching.abort();
    let result = done.map_err(|error| Failure::Other(anyhow::anyhow!(error)))?;
    result.map_err(|error| {
        if error.is::<Interrupted>() {
            Failure::Interrupted(Interrupted.to_string())
        } else if error.is::<Unwritable>() {
            Failure::Other(error)
        } else {
            Failure::Input(error)
        }
    })
}

/// Drops duplicates of rows before them.
pub(crate) async fn dedup(args: DedupArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let options = DedupOptions {
        rows: rows(args.rows)?,
        out: out(args.out),
        vectors: vectors(args.vectors),
        jaccard: args.jaccard.0,
        shingle_words: args.shingle_words,
        cosine: args.cosine.0,
        ignore_facts: args.ignore_facts,
    };
    let sorted = carry_out(view, move |task| datasets::dedup(&options, task)).await?;
    show(&sorted, output);
    Ok(())
}

/// Drops what the rules reject.
pub(crate) async fn filter(args: FilterArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let job = match &args.job {
        Some(path) => {
            let loaded = gristmill_jobfile::load(path, &[], Keys::Elsewhere)
                .map_err(|errors| print::job_errors(&errors))?;
            Some(loaded.job)
        }
        None => None,
    };
    let kind = args.kind.map(|kind| match kind {
        KindArg::Open => Kind::Open,
        KindArg::Short => Kind::Short,
        KindArg::Number => Kind::Number,
        KindArg::Label => Kind::Label,
        KindArg::Query => Kind::Query,
    });
    let options = FilterOptions {
        rows: rows(args.rows)?,
        answer: args.answer,
        out: out(args.out),
        by: FilterRules::new(job.as_ref(), kind, &args.languages).map_err(Failure::Input)?,
        likelihood: likelihood(args.likelihood).map_err(Failure::Input)?,
    };
    let sorted = carry_out(view, move |task| datasets::filter(&options, task)).await?;
    show(&sorted, output);
    Ok(())
}

/// The model that rows are scored by, and its bounds; `None` where no model is named.
fn likelihood(args: LikelihoodArgs) -> anyhow::Result<Option<LikelihoodOptions>> {
    let bounds = LikelihoodBounds {
        min_bits_per_byte: args.min_bits_per_byte,
        max_bits_per_byte: args.max_bits_per_byte,
        min_perplexity: args.min_perplexity,
        max_perplexity: args.max_perplexity,
        drop_likeliest: args.drop_likeliest,
        drop_unlikeliest: args.drop_unlikeliest,
    };
    let model = eval::scorer(
        args.student.as_deref(),
        args.base.as_deref(),
        args.adapter.as_deref(),
    )?;
    let Some(model) = model else {
        if bounds != LikelihoodBounds::default() || args.likelihood_of.is_some() || args.figures.is_some() {
            bail!(
                "rows are to be scored by their likelihood, and no model is named\nhelp: name the model that will be trained with `--base`, such as \
                 `--base smollm2-135m-instruct`, or a student's folder with `--student`"
            );
        }
        return Ok(None);
    };
    bounds.check()?;
    Ok(Some(LikelihoodOptions {
        model,
        of: match args.likelihood_of {
            Some(LikelihoodOfArg::Row) => LikelihoodOf::Row,
            Some(LikelihoodOfArg::Answer) | None => LikelihoodOf::Answer,
        },
        bounds,
        figures: args.figures,
    }))
}

/// Drops rows that are too close to held-out items.
pub(crate) async fn decontaminate(
    args: DecontaminateArgs,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    let options = DecontaminateOptions {
        rows: rows(args.rows)?,
        against: args.against,
        against_field: args.against_field,
        out: out(args.out),
        vectors: vectors(args.vectors),
        ngram: args.ngram,
        coverage: args.coverage,
        cosine: args.cosine,
    };
    let sorted = carry_out(view, move |task| datasets::decontaminate(&options, task)).await?;
    show(&sorted, output);
    Ok(())
}

/// Draws a map.
pub(crate) async fn map(args: MapArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let options = MapOptions {
        rows: rows(args.rows)?,
        against: args.against,
        by: args.by,
        out: args.out,
        overwrite: args.overwrite,
        vectors: vectors(args.vectors),
        neighbors: args.neighbors,
        most: args.most,
        seed: args.seed,
    };
    let drawn = carry_out(view, move |task| datasets::map(&options, task)).await?;
    print::either(output, &drawn.json(), &drawn.text());
    Ok(())
}

/// Measures rows.
pub(crate) async fn measure(args: MeasureArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let settings = args.settings;
    let options = MeasureOptions {
        rows: rows(args.rows)?,
        against: args.against,
        by: args.by,
        vectors: vectors(args.vectors),
        settings: MeasureSettings {
            tau: settings.tau,
            kernel: settings.kernel,
            at: settings.at,
            draws: settings.draws,
            vendi: settings.vendi,
            k: settings.k,
            clusters: settings.clusters,
            at_least: settings.at_least,
            most: settings.most,
            seed: settings.seed,
        },
        agent: agent(&args.agent, &view)
            .await
            .context("the cluster agent")
            .map_err(Failure::Input)?,
    };
    let measured = carry_out(view, move |task| datasets::measure(&options, task)).await?;
    match output {
        OutputStyle::Json => measured
            .json()
            .iter()
            .for_each(|value| print::either(output, value, "")),
        OutputStyle::Text => print::either(output, &serde_json::Value::Null, &measured.text()),
    }
    Ok(())
}

fn show(sorted: &Sorted, output: OutputStyle) {
    print::either(output, &sorted.json(), &sorted.text());
}

/// What rows the command line names; the folder of a run, or of a dataset such as a generation's, stands for its synthetic rows.
fn rows(args: RowsArgs) -> Result<RowsOptions, Failure> {
    let dataset = match args.files.as_slice() {
        [single] if Path::new(single).join("data").is_dir() => Some(Path::new(single).to_owned()),
        [single] if Path::new(single).is_dir() => {
            let run = RunFolder::open(Path::new(single)).map_err(Failure::Input)?;
            if run.manifest().map_err(Failure::Input)?.is_none() {
                return Err(Failure::Input(anyhow::anyhow!(
                    "{single} holds no dataset: if its run has ended, `gristmill assemble {single}` writes it again"
                )));
            }
            Some(run.dataset())
        }
        _ => None,
    };
    Ok(RowsOptions {
        files: args.files,
        dataset,
        field: args.field,
        skip_bad: args.skip_bad,
    })
}

fn out(args: OutArgs) -> OutOptions {
    OutOptions {
        out: args.out,
        dropped: args.dropped,
        overwrite: args.overwrite,
    }
}

fn vectors(args: VectorArgs) -> VectorOptions {
    VectorOptions {
        embed: args.embed,
        vectors: args.vectors,
        vectors_of: args.vectors_of,
    }
}

/// A job's judge, or its first teacher where it has none, as the cluster agent.
async fn agent(args: &AgentArgs, view: &View) -> anyhow::Result<Option<AgentOptions>> {
    let (Some(job), Some(budget)) = (&args.agent, &args.agent_budget) else {
        return Ok(None);
    };
    let limit = limits::limit(budget)?;
    let loaded = gristmill_jobfile::load(job, &[], Keys::Here)
        .map_err(|errors| anyhow::anyhow!("{}", gristmill_jobfile::render(&errors, false).trim_end()))?;
    let judge = loaded.job.judge.as_ref().map(|judge| &judge.spec);
    let spec: &ModelSpec = judge
        .or_else(|| loaded.job.teacher.first().map(|teacher| &teacher.spec))
        .context("the job names no model")?;
    let price = match spec.price() {
        Some(price) => price,
        None if limit.usd.is_some() => bail!(
            "`--agent-budget` is in dollars, and {} has no price of `{}`: add one, or give it in calls",
            job.display(),
            spec.name()
        ),
        None => Price::FREE,
    };
    let workshop = Workshop::new(
        JobAccess::Own(loaded.base.clone()),
        endpoints_here()?,
        view.clone(),
    );
    Ok(Some(AgentOptions {
        name: spec.name(),
        chat: workshop.model(spec).await?,
        price,
        structured: spec.structured(),
        timeout: Duration::from_secs(spec.timeout_s().into()),
        concurrency: spec.concurrency() as usize,
        limit,
        draws: args.agent_draws,
        rows: args.agent_rows,
    }))
}
