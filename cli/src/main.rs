//! `gristmill`: the composition root. It builds the neighbours that a job names, puts coordinator and worker into one process, and tells
//! people what happens. What the parts do is theirs; nothing is decided here but how the program begins and ends.

#[cfg(feature = "trainer")]
mod ablate;
mod args;
mod asked;
mod assemble;
mod audit;
#[cfg(feature = "cluster")]
mod cluster;
#[cfg(not(feature = "cluster"))]
#[path = "no_cluster.rs"]
mod cluster;
mod collapse;
mod data;
mod diagnosis;
mod doctor;
mod drive;
mod eval;
mod failure;
mod features;
mod gate;
mod generation;
#[cfg(feature = "trainer")]
mod improve;
mod inspect;
mod launch;
mod limits;
#[cfg(feature = "trainer")]
mod native;
mod plan;
mod prepare;
mod preview;
mod print;
mod recipe;
mod report;
mod resume;
mod splits;
mod survey;
#[cfg(feature = "trainer")]
mod train;
#[cfg(feature = "dashboard")]
mod ui;
mod view;
mod workshop;

use std::io::IsTerminal;
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
    // And so is the one that reads documents.
    #[cfg(feature = "documents")]
    if gristmill_documents::is_child() {
        return gristmill_documents::child_main();
    }
    #[cfg(feature = "local-model")]
    start_again_patiently();
    // Libraries ask for the process's choice, and panic where several would do. It is the first: nobody has chosen before.
    #[cfg(feature = "cluster")]
    let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let view = View::new(cli.progress);
    // Servers set up more than lines.
    if !matches!(&cli.command, Command::Cluster(command) if command.serves()) {
        init_tracing(&view);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::failure(&Failure::Other(error.into()), cli.output);
            return ExitCode::FAILURE;
        }
    };
    let output = cli.output;
    let result = runtime.block_on(carry_out(cli, view));
    // A local model may still be in the middle of a batch that nobody waits for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match result {
        Ok(()) => leave(0),
        Err(failure) => {
            print::failure(&failure, output);
            leave(failure.code())
        }
    }
}

/// Ends the program at once. Exit handlers of a local model's library would run beside the threads that still use it.
fn leave(code: u8) -> ! {
    use std::io::Write;
    // Who reads it may be gone.
    let _gone = std::io::stdout().flush();
    signal_hook::low_level::exit(i32::from(code))
}

/// Starts the program again, in this process, with threads of local models that wait for each other asleep after a short spin.
///
/// By default libgomp spins 300,000 times at each of hundreds of meeting points a token: on a machine that does anything else, that was
/// eight times slower. 1,000 is its own bound for more threads than processors (`GOMP_SPINCOUNT` in its manual). The environment
/// is read before `main`.
#[cfg(feature = "local-model")]
fn start_again_patiently() {
    use std::os::unix::process::CommandExt;
    if std::env::var_os("OMP_WAIT_POLICY").is_some() || std::env::var_os("GOMP_SPINCOUNT").is_some() {
        return;
    }
    let mut args = std::env::args_os();
    let (Some(name), Ok(program)) = (args.next(), std::env::current_exe()) else {
        return;
    };
    // Returns only when it fails, and then the spinning is borne.
    let _failed = std::process::Command::new(program)
        .arg0(name)
        .args(args)
        .env("GOMP_SPINCOUNT", "1000")
        .exec();
}

async fn carry_out(cli: Cli, view: View) -> Result<(), Failure> {
    match cli.command {
        Command::Run(args) => launch::run(&args, view, cli.output).await,
        Command::Plan(args) => plan::plan(&args, &view, cli.output).await,
        Command::Audit(args) => audit::audit(&args, &view, cli.output).await,
        Command::Init(args) => plan::init(&args, &view),
        Command::Recipe(args) => recipe::recipe(&args, cli.output),
        Command::Doctor(args) => doctor::doctor(*args, view, cli.output).await,
        Command::Preview(args) => preview::preview(&args, view, cli.output).await,
        Command::Schema => {
            print::plain(&format!("{:#}\n", gristmill_jobfile::schema()));
            Ok(())
        }
        Command::Status(args) => match args.server.server() {
            Some(server) => cluster::status(&server, &args.run, cli.output).await,
            None => inspect::status(&args.run, cli.output).await,
        },
        Command::Budget(args) => match args.server.server() {
            Some(server) => cluster::budget(&server, &args, cli.output).await,
            None => inspect::budget(&args, cli.output).await,
        },
        Command::Trace(args) if args.eval.is_some() => diagnosis::trace(args, view, cli.output).await,
        Command::Mend(args) => diagnosis::mend(args, view, cli.output).await,
        Command::Trace(args) => match args.server.server() {
            Some(server) => cluster::trace(&server, &args, cli.output).await,
            None => inspect::trace(&args, cli.output).await,
        },
        Command::Assemble(args) => assemble::assemble(&args, view, cli.output).await,
        Command::Export(args) => inspect::export(&args, cli.output).await,
        Command::Measure(args) => data::measure(args, view, cli.output).await,
        Command::Dedup(args) => data::dedup(args, view, cli.output).await,
        Command::Filter(args) => data::filter(args, view, cli.output).await,
        Command::Decontaminate(args) => data::decontaminate(args, view, cli.output).await,
        Command::Map(args) => data::map(args, view, cli.output).await,
        Command::Generation(args) => generation::generation(*args, view, cli.output).await,
        #[cfg(feature = "trainer")]
        Command::Train(args) => train::train(*args, view, cli.output).await,
        #[cfg(not(feature = "trainer"))]
        Command::Train(_) => Err(Failure::Input(features::missing("`gristmill train`", "trainer"))),
        Command::Eval(args) => eval::eval(*args, view, cli.output).await,
        #[cfg(feature = "trainer")]
        Command::Ablate(args) => ablate::ablate(*args, view, cli.output).await,
        #[cfg(not(feature = "trainer"))]
        Command::Ablate(_) => Err(Failure::Input(features::missing("`gristmill ablate`", "trainer"))),
        #[cfg(feature = "trainer")]
        Command::Loop(args) => improve::improve(*args, view, cli.output).await,
        #[cfg(not(feature = "trainer"))]
        Command::Loop(_) => Err(Failure::Input(features::missing("`gristmill loop`", "trainer"))),
        Command::Collapse(args) => collapse::collapse(args, cli.output).await,
        Command::Gate(args) => gate::gate(*args, view, cli.output).await,
        Command::Report(args) => report::report(&args, cli.output).await,
        #[cfg(feature = "dashboard")]
        Command::Ui(args) => ui::serve(args).await,
        #[cfg(not(feature = "dashboard"))]
        Command::Ui(_) => Err(Failure::Input(features::missing("`gristmill ui`", "dashboard"))),
        Command::Cluster(command) => cluster::carry_out(command, view, cli.output).await,
    }
}

/// Logs go to standard error, warnings and worse unless `GRISTMILL_LOG` says otherwise.
/// What is shown unless GRISTMILL_LOG says otherwise. The AMQP library warns of a message that comes back, which `doctor` sends for that purpose.
const SHOWN: &str = "warn,lapin=error";

fn init_tracing(view: &View) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("GRISTMILL_LOG").unwrap_or_else(|_| EnvFilter::new(SHOWN));
    let view = view.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || view.log())
        // Signs that colour a terminal are litter in a file.
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        // It would be told to standard error, and end a thread that cannot write there.
        .log_internal_errors(false)
        .init();
}
