//! The child's side: takes one order, confines itself, and serves until its parent is gone.

mod alter;
mod confine;
mod engine;
mod load;
mod program;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use crate::wire::{self, Order, Query, Reply};
use engine::Engine;

/// What this program is started again as, to run queries.
pub(crate) const ROLE: &str = "sql";

pub(crate) use program::{Order as ProgramOrder, ROLE as PROGRAM_ROLE};

/// Longest order: some thousand database paths.
const ORDER_BYTES_MAX: usize = 16 << 20;

/// True in a process that a [`crate::Sandbox`] or a [`crate::ProgramRunner`] has started: `main` then does nothing but [`child_main`].
pub fn is_child() -> bool {
    gristmill_confine::is_child(ROLE) || gristmill_confine::is_child(PROGRAM_ROLE)
}

/// Serves the parent over stdin and stdout until it closes them, or becomes the program that it is to run.
///
/// Must run before the program starts threads or opens files of its own: the limits it sets are the process's.
pub fn child_main() -> ExitCode {
    if gristmill_confine::is_child(PROGRAM_ROLE) {
        return program::become_it();
    }
    let (stdin, stdout) = (io::stdin().lock(), io::stdout().lock());
    match serve(stdin, stdout) {
        Ok(()) => ExitCode::SUCCESS,
        // The pipe is the only way to say anything, and it is what failed.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let Some(order) = wire::read::<Order>(&mut from, ORDER_BYTES_MAX)? else {
        return Ok(());
    };
    let (limits, files) = match order {
        Order::Load { limits, dump, target } => {
            let done = confine::loader(limits)
                .map_err(|error| error.to_string())
                .and_then(|()| load::load(&dump, &target, limits));
            return wire::write(&mut to, &done.map_or_else(Reply::Broken, |()| Reply::Loaded));
        }
        Order::Alter {
            limits,
            source,
            targets,
        } => {
            let done = confine::loader(limits)
                .map_err(|error| error.to_string())
                .and_then(|()| alter::alter(&source, &targets));
            let reply = done.map_or_else(Reply::Broken, |reordered| Reply::Altered { reordered });
            return wire::write(&mut to, &reply);
        }
        Order::Serve { limits, files } => (limits, files),
    };
    if let Err(error) = confine::server(&limits) {
        return wire::write(&mut to, &Reply::Broken(error.to_string()));
    }
    wire::write(&mut to, &Reply::Ready)?;
    let mut engine = Engine::new(limits, files);
    while let Some(query) = wire::read::<Query>(&mut from, limits.query_bytes_max + 64)? {
        let reply = engine.answer(&query);
        wire::write(&mut to, &reply)?;
    }
    Ok(())
}
