//! The child's side: takes one order, confines itself, and reads documents until its parent is gone.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use gristmill_confine::{Memory, allow_cpu};

use crate::format;
use crate::options::Limits;
use crate::skip::Reason;
use crate::wire::{self, Document, ORDER_BYTES_MAX, Order, Reply};

/// What this program is started again as.
pub(crate) const ROLE: &str = "documents";

/// Files at once: its pipes, and what the system opens by itself.
const FILES_MAX: u64 = 16;

/// Stack of the thread that reads: page trees and objects inside of each other recurse in the PDF reader.
const STACK_BYTES: usize = 64 << 20;

/// True in a process that a [`crate::Reader`] has started: `main` then does nothing but [`child_main`].
pub fn is_child() -> bool {
    gristmill_confine::is_child(ROLE)
}

/// Serves the parent over stdin and stdout until it closes them.
///
/// Must run before the program starts threads or opens files of its own: the limits it sets are the process's.
pub fn child_main() -> ExitCode {
    // Its one thread starts before the process may start no more.
    let served = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(|| serve(io::stdin().lock(), io::stdout().lock()))
        .map(std::thread::JoinHandle::join);
    match served {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        // The pipe is the only way to say anything, and it is what failed.
        _ => ExitCode::FAILURE,
    }
}

fn serve(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let Some(Order { limits }) = wire::read::<Order>(&mut from, ORDER_BYTES_MAX)? else {
        return Ok(());
    };
    let confined = gristmill_confine::Limits {
        memory: Memory::Beyond(limits.memory_bytes_max),
        file_bytes: 0,
        open_files: Some(FILES_MAX),
        processes: false,
        // Allowed anew for each document.
        cpu: None,
    }
    .apply();
    if let Err(error) = confined {
        return wire::write(&mut to, &Reply::Broken(error.to_string()));
    }
    // A panic is an answer here; its text would only reach a closed stderr.
    std::panic::set_hook(Box::new(|_| {}));
    wire::write(&mut to, &Reply::Ready)?;
    while let Some(document) = wire::read::<Document>(&mut from, ORDER_BYTES_MAX)? {
        allow_cpu(limits.cpu)?;
        // At once: where that much cannot be had, the system's last words say so.
        let mut bytes = Vec::with_capacity(usize::try_from(document.bytes).unwrap_or(usize::MAX));
        from.by_ref().take(document.bytes).read_to_end(&mut bytes)?;
        wire::write(&mut to, &read(&document, bytes, &limits))?;
    }
    Ok(())
}

/// Reads one document; a panic of a reader is its crash on that document and no more.
fn read(document: &Document, bytes: Vec<u8>, limits: &Limits) -> Reply {
    let read = catch_unwind(AssertUnwindSafe(|| format::read(document.media, bytes, limits)));
    match read {
        Ok(Ok(content)) => Reply::Content(content),
        Ok(Err(reason)) => Reply::Skipped(reason),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic");
            Reply::Skipped(Reason::Crashed {
                how: crate::clean::line(text).chars().take(200).collect(),
            })
        }
    }
}
