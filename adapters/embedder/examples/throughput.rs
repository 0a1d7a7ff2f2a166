//! Measures sentences a second of the default embedder: `throughput [THREADS]`.
#![allow(clippy::print_stdout, reason = "a measuring program tells its result there")]

use std::num::NonZeroUsize;
use std::time::Instant;

use gristmill_embedder::{MiniLm, Options};
use gristmill_model_cache::{Cache, Reference};
use gristmill_ports::model::Embedder;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let threads: usize = std::env::args().nth(1).map_or(Ok(2), |text| text.parse())?;
    let model = Cache::from_env()?
        .resolve(&Reference::Package("all-minilm-l6-v2".into()), &mut |_, _| {})
        .await?;
    let options = Options {
        weights: model.file("model.safetensors")?.to_owned(),
        tokenizer: model.file("tokenizer.json")?.to_owned(),
        config: model.file("config.json")?.to_owned(),
        model: model.version(),
        tokens_max: 256,
        threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
    };
    let embedder = tokio::task::spawn_blocking(move || MiniLm::load(&options)).await??;
    for (words, count) in [(25, 768), (125, 192)] {
        let texts: Vec<String> = (0..count)
            .map(|i| {
                (0..words)
                    .map(|j| ["water", "dam", "the", "low", "river"][(i + j) % 5])
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        embedder.embed(&texts[..16]).await?;
        let start = Instant::now();
        let embedded = embedder.embed(&texts).await?;
        let seconds = start.elapsed().as_secs_f64();
        let tokens = embedded.input_tokens / count as u64;
        println!(
            "{threads} threads, {tokens} tokens a text: {:.0} texts/s",
            count as f64 / seconds
        );
    }
    Ok(())
}
