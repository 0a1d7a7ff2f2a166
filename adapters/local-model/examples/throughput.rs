//! Measures tokens a second of the small catalogue model: `throughput [THREADS [SLOTS]]`.
#![allow(clippy::print_stdout, reason = "a measuring program tells its result there")]

use std::num::NonZeroU32;
use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use gristmill_domain::chat::{Prompt, Request};
use gristmill_local_model::{LocalModel, Options};
use gristmill_model_cache::{Cache, Reference};
use gristmill_ports::model::ChatModel;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<NonZeroU32>());
    let threads = arguments
        .next()
        .transpose()?
        .unwrap_or(NonZeroU32::MIN.saturating_add(1));
    let slots = arguments.next().transpose()?.unwrap_or(Options::SLOTS);
    let model = Cache::from_env()?
        .resolve(
            &Reference::Package("smollm2-135m-instruct".into()),
            &mut |_, _| {},
        )
        .await?;
    let options = Options {
        path: model.main().context("the model has no file")?.to_owned(),
        model: model.version(),
        threads,
        slots,
        context_tokens: Options::CONTEXT_TOKENS,
    };
    let model = tokio::task::spawn_blocking(move || LocalModel::load(options)).await??;
    for (name, prompt) in [
        ("short", "Once upon a time".to_owned()),
        ("long", "Water runs downhill. ".repeat(100)),
    ] {
        let requests: Vec<Request> = (0..2 * slots.get())
            .map(|seed| Request {
                prompt: Prompt::Raw(format!("{seed}. {prompt}")),
                max_tokens: 128,
                temperature: 0.8,
                top_p: 0.95,
                seed,
                stop: Vec::new(),
                schema: None,
            })
            .collect();
        let start = Instant::now();
        let answers = try_join_all(requests.iter().map(|request| model.complete(request))).await?;
        let seconds = start.elapsed().as_secs_f64();
        let usage = answers.iter().map(|answer| answer.usage);
        let (input, output) = usage.fold((0, 0), |(i, o), u| {
            (i + u.input_tokens.unwrap_or(0), o + u.output_tokens.unwrap_or(0))
        });
        println!(
            "{name} prompts, {threads} threads, {slots} slots: {input} tokens in, {output} out, {seconds:.1} s: {:.0} out/s",
            output as f64 / seconds
        );
    }
    Ok(())
}
