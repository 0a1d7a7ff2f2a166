//! Trains as a request file says and prints its events, as `python3 -m gristmill_trainer REQUEST` does: to compare the two backends.
#![expect(clippy::print_stdout, reason = "its result")]

use gristmill_ports::trainer::{Request, Trainer};
use gristmill_trainer::NativeTrainer;
use tokio::sync::{mpsc, watch};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: request REQUEST.json")?;
    let request: Request = serde_json::from_slice(&std::fs::read(path)?)?;
    std::fs::create_dir_all(&request.out)?;
    let (events, mut arriving) = mpsc::channel(64);
    let (_stop, stopping) = watch::channel(false);
    let training = tokio::spawn(async move {
        NativeTrainer::new()?
            .train(&request, events, stopping)
            .await
            .map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    });
    while let Some(event) = arriving.recv().await {
        println!("{}", serde_json::to_string(&event)?);
    }
    training.await?.map_err(|error| error.to_string().into())
}
