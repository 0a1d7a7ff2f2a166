//! `gristmill`: the composition root. It builds the neighbours that a job names, puts coordinator and worker into one process, and tells
//! people what happens. What the parts do is theirs; nothing is decided here but how the program begins and ends.

mod args;
mod assemble;
mod card;
mod failure;
mod folder;
mod inspect;
mod intake;
mod launch;
mod plan;
mod print;
mod view;
mod workshop;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::view::View;

fn main() -> ExitCode {
    // A sandbox's child is this program, started again under limits.
    if gristmill_sandbox::is_child() {
        return gristmill_sandbox::child_main();
    }
    let cli = Cli::parse();
    init_tracing();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::failure(&Failure::Other(error.into()), cli.output);
            return ExitCode::FAILURE;
        }
    };
    let output = cli.output;
    let result = runtime.block_on(carry_out(cli));
    // A local model may still be in the middle of a batch that nobody waits for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::failure(&failure, output);
            failure.code()
        }
    }
}

async fn carry_out(cli: Cli) -> Result<(), Failure> {
    let view = View::new(cli.progress);
    match cli.command {
        Command::Run(args) => launch::run(&args, view, cli.output).await,
        Command::Plan(args) => plan::plan(&args, cli.output).await,
        Command::Init(args) => plan::init(&args),
        Command::Schema => {
            print::plain(&format!("{:#}\n", gristmill_jobfile::schema()));
            Ok(())
        }
        Command::Status(args) => inspect::status(&args.run, cli.output),
        Command::Budget(args) => inspect::budget(&args, cli.output).await,
        Command::Trace(args) => inspect::trace(&args, cli.output).await,
        Command::Export(args) => inspect::export(&args, cli.output),
    }
}

/// Logs go to standard error, warnings and worse unless `GRISTMILL_LOG` says otherwise.
fn init_tracing() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("GRISTMILL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}
