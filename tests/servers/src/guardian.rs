//! Ends a server and removes its folder when the process that started it is gone, however it ended.
//!
//! A shell of its own process group reads from a pipe that only the test process holds: the pipe's end is the test's end.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Each line names the process group to end; an empty one, none. At the end of the pipe it is ended and the folder removed.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
group=
while read -r line; do group=$line; done
if [ -n "$group" ]; then
    kill -s KILL -- "-$group" 2>/dev/null
    tries=0
    while kill -s 0 -- "-$group" 2>/dev/null && [ $tries -lt 40 ]; do sleep 0.05; tries=$((tries + 1)); done
fi
rm -rf -- "$1"
"#;

/// Watches over one server.
#[derive(Debug)]
pub struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Watches over a folder, and over the process group that [`watch`](Self::watch) names.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "guardian"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("a shell to clean up after the test")?;
        Ok(Self { shell })
    }

    /// Names the process group to end; `None` when it has ended already.
    pub fn watch(&mut self, group: Option<u32>) -> anyhow::Result<()> {
        let line = group.map_or_else(String::new, |group| group.to_string());
        let pipe = self
            .shell
            .stdin
            .as_mut()
            .context("the guardian has been let go")?;
        writeln!(pipe, "{line}").context("the guardian has ended")
    }
}

impl Drop for Guardian {
    /// Cleans up now.
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A shell that cannot be waited for has ended.
        let _ended = self.shell.wait();
    }
}
