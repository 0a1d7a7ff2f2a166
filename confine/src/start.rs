//! Starting this program again as a child.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The argument that makes this program a child. It is an argument and not a variable, since variables are inherited.
const MARKER: &str = "__gristmill-child";

/// True in a process that [`command`] started for this role: `main` then does nothing but what the role is.
pub fn is_child(role: &str) -> bool {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().is_some_and(|argument| argument == MARKER)
        && arguments.next().is_some_and(|argument| argument == role)
}

/// This program's own file, even if it was replaced on disk since its start.
pub fn own_program() -> io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        Ok(link.to_owned())
    } else {
        std::env::current_exe()
    }
}

/// A program, to be started as a child of this role: without an environment, in the root folder, in a process group of its own, with its
/// input and output in pipes. What it says on stderr is dropped, unless the caller asks for it.
pub fn command(program: &Path, role: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg(MARKER)
        .arg(role)
        // Keys live in the environment: a child has none.
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Ctrl-C reaches this program, which then decides what happens to its children.
        .process_group(0);
    command
}
