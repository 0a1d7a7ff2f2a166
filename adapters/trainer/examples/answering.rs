//! Tokens a second of a model in this process, by how many requests are worked on at once, and whether the answers are the same:
//!
//!     cargo run --release -p gristmill-trainer --example answering -- MODEL [SLOTS]...
#![allow(clippy::print_stdout, reason = "it is a program that prints")]

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gristmill_domain::chat::{Message, Prompt, Request, Role};
use gristmill_ports::model::ChatModel;
use gristmill_trainer::{Device, NativeModel, Options, Student};

const ANSWER_TOKENS: u32 = 32;
/// About 150 tokens with the template of SmolLM2.
const PASSAGE: &str = "A pump moves water from a lower to a higher place by adding energy to it. The head of a pump is the height to which it can \
    raise the water, and its duty point is where the curve of the pump meets the curve of the system. Losses in pipes grow with the square of the flow, \
    so that a pump that is twice as fast does not move twice as much. Cavitation begins where the pressure at the inlet falls below the pressure at \
    which water boils, and it is heard before it is seen.";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let model = args.next().ok_or("name a model: a `.gguf` file, or a folder")?;
    let asked: Vec<u32> = args.map(|slots| slots.parse()).collect::<Result<_, _>>()?;
    let asked = if asked.is_empty() {
        vec![1, 4, 8, 16]
    } else {
        asked
    };
    let mut before: Vec<String> = Vec::new();
    for slots in asked {
        let begun = Instant::now();
        let student = Student::load(Path::new(&model), None, &Device::cuda_if_available(0)?)?;
        let loaded = begun.elapsed();
        let options = Options {
            version: "measured".to_owned(),
            slots: NonZeroU32::new(slots).ok_or("no slots")?,
            context_tokens: None,
        };
        let model = Arc::new(NativeModel::start(student, options)?);
        ask(&model, 0).await?;
        let begun = Instant::now();
        let asked = (0..slots.max(8)).map(|number| {
            let model = Arc::clone(&model);
            tokio::spawn(async move { ask(&model, number).await })
        });
        let (mut prompt, mut answer) = (0, 0);
        let mut texts = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            let (read, written, text) = asked.await??;
            prompt += read;
            answer += written;
            texts.push(text);
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "slots {slots:>2}: {:.1} tokens of answers a second, {:.0} of all ({prompt} of prompts, {answer} of answers in {seconds:.2} s; loaded in {:.1} s)",
            answer as f64 / seconds,
            (prompt + answer) as f64 / seconds,
            loaded.as_secs_f64(),
        );
        match before.is_empty() {
            true => println!("          the first says: {:?}", texts.first()),
            false => {
                let same = before.iter().zip(&texts).filter(|(a, b)| a == b).count();
                println!("          {same} of {} answers as before", before.len());
            }
        }
        if before.is_empty() {
            before = texts;
        }
    }
    Ok(())
}

type Told = Result<(u64, u64, String), gristmill_ports::model::CallError>;

async fn ask(model: &NativeModel, number: u32) -> Told {
    let content = format!("{PASSAGE}\n\nQuestion {number}: tell in a long paragraph what a pump does.");
    let request = Request {
        prompt: Prompt::Chat(vec![Message {
            role: Role::User,
            content,
        }]),
        max_tokens: ANSWER_TOKENS,
        temperature: 1.0,
        top_p: 0.95,
        seed: number,
        stop: Vec::new(),
        schema: None,
    };
    let response = model.complete(&request).await?;
    let tokens = |tokens: Option<u64>| tokens.unwrap_or_default();
    Ok((
        tokens(response.usage.input_tokens),
        tokens(response.usage.output_tokens),
        response.text,
    ))
}
