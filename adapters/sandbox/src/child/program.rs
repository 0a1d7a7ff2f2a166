//! Becomes a program of the user's, under limits.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use gristmill_confine::{Limits, Memory};
use serde::{Deserialize, Serialize};

/// What this program is started again as, to become another.
pub(crate) const ROLE: &str = "program";
/// Files at once.
const FILES_MAX: u64 = 256;
/// How it ends where it cannot become the program.
const CANNOT_RUN: u8 = 126;

/// What to become. It is an argument: stdin is the program's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The program and its arguments.
    pub(crate) run: Vec<String>,
    /// Where it is started.
    pub(crate) folder: PathBuf,
    /// Where it looks for others.
    pub(crate) path: String,
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_seconds: u64,
}

/// Returns only where that is impossible, which it says on stderr.
pub(super) fn become_it() -> ExitCode {
    let why = match std::env::args().nth(3) {
        Some(order) => match serde_json::from_str::<Order>(&order) {
            Ok(order) => run(&order),
            Err(error) => format!("it cannot read its order: {error}"),
        },
        None => "it has no order".to_owned(),
    };
    // The pipe is the only way to say anything.
    let _said = std::io::stderr().write_all(why.as_bytes());
    ExitCode::from(CANNOT_RUN)
}

fn run(order: &Order) -> String {
    let Some((program, arguments)) = order.run.split_first() else {
        return "no program is named".to_owned();
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&order.folder)
        .env_clear()
        .env("PATH", &order.path)
        .env("LANG", "C.UTF-8");
    let limits = Limits {
        memory: Memory::Whole(order.memory_bytes),
        file_bytes: 0,
        open_files: Some(FILES_MAX),
        // Scripts start what they are made of.
        processes: true,
        cpu: Some(Duration::from_secs(order.cpu_seconds)),
    };
    match limits.apply() {
        Ok(()) => format!("`{program}` cannot be run: {}", command.exec()),
        Err(error) => format!("its limits cannot be set: {error}"),
    }
}
