//! Scripts and calls of them.

use std::sync::Arc;

/// What scripts share that keep all of their keys below the first.
pub(crate) const NAMESPACE: &str = include_str!("namespace.lua");

/// A Lua script: its name for messages, its text and its digest. Make each once, in a `LazyLock`.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    code: String,
    sha1: String,
}

impl Script {
    /// A script of parts, one below the other: what several scripts share comes first.
    pub fn new(name: &'static str, parts: &[&str]) -> Self {
        let code = parts.join("\n");
        let sha1 = redis::Script::new(&code).get_hash().to_owned();
        Self { name, code, sha1 }
    }

    /// What messages call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

#[derive(Debug, Clone)]
enum Arg {
    Bytes(Vec<u8>),
    /// Filled in when it is sent: the same call may be sent again over another connection.
    ServerId,
}

/// A script with its keys and arguments: what `KEYS` and `ARGV` hold, in order.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    script: &'a Script,
    keys: Vec<Arc<[u8]>>,
    args: Vec<Arg>,
}

impl<'a> Call<'a> {
    /// A call without keys and arguments.
    pub fn new(script: &'a Script) -> Self {
        Self {
            script,
            keys: Vec::new(),
            args: Vec::new(),
        }
    }

    /// Adds a key. All keys of a call carry one hash tag, `{…}`, so that they lie on one node of a Redis Cluster.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.keys.push(key.as_ref().into());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(Arg::Bytes(arg.into()));
        self
    }

    /// Adds a number. Lua's numbers are doubles: one above 2^53 is not exact there.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.arg(number.to_string())
    }

    /// Adds the [`crate::ServerId`] of whichever server the call is sent to.
    #[must_use]
    pub fn server_id(mut self) -> Self {
        self.args.push(Arg::ServerId);
        self
    }

    pub(crate) fn script(&self) -> &'a Script {
        self.script
    }

    /// Bytes of its keys and arguments.
    pub(crate) fn bytes(&self) -> usize {
        let args = self.args.iter().map(|arg| match arg {
            Arg::Bytes(bytes) => bytes.len(),
            Arg::ServerId => 0,
        });
        self.keys.iter().map(|key| key.len()).chain(args).sum()
    }

    pub(crate) fn command(&self, server_id: &str) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.script.sha1).arg(self.keys.len());
        for key in &self.keys {
            command.arg(&key[..]);
        }
        for arg in &self.args {
            match arg {
                Arg::Bytes(bytes) => command.arg(bytes),
                Arg::ServerId => command.arg(server_id),
            };
        }
        command
    }
}
