//! What the way in which a child ended says about what it worked on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

/// How a child ended in the middle of its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The kernel's limit on processor time.
    Cpu,
    /// It could not get memory.
    Memory,
    /// Its stack overflowed.
    Stack,
    /// It crashed with this signal.
    Crash(i32),
    /// It was ended from outside, or ended by itself: this says nothing about its work.
    Other(String),
}

impl End {
    /// By its status, and by what it said on stderr where that was kept.
    pub fn of(status: ExitStatus, last_words: Option<&str>) -> Self {
        let Some(signal) = status.signal() else {
            return Self::Other(status.to_string());
        };
        let is = |known: &[Signal]| known.iter().any(|known| known.as_raw() == signal);
        if is(&[Signal::XCPU]) {
            return Self::Cpu;
        }
        // From outside: by the system for want of memory, or by a person.
        if is(&[Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT]) {
            return Self::Other(status.to_string());
        }
        match last_words {
            // Rust aborts where memory is refused.
            None if is(&[Signal::ABORT]) => Self::Memory,
            Some(words) if words.contains("memory allocation") => Self::Memory,
            Some(words) if words.contains("overflowed its stack") => Self::Stack,
            _ => Self::Crash(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_says_whose_fault_it_was() {
        let of = |raw: i32, words: Option<&str>| End::of(ExitStatus::from_raw(raw), words);
        let abort = Signal::ABORT.as_raw();
        let segv = Signal::SEGV.as_raw();
        assert_eq!(of(Signal::XCPU.as_raw(), None), End::Cpu);
        assert_eq!(of(abort, None), End::Memory);
        assert_eq!(
            of(abort, Some("memory allocation of 9 bytes failed")),
            End::Memory
        );
        assert_eq!(
            of(abort, Some("thread 'main' has overflowed its stack")),
            End::Stack
        );
        assert_eq!(of(abort, Some("")), End::Crash(abort));
        assert_eq!(of(segv, None), End::Crash(segv));
        for outside in [Signal::KILL.as_raw(), Signal::TERM.as_raw(), 0, 1 << 8] {
            assert!(matches!(of(outside, None), End::Other(_)), "{outside}");
        }
    }
}
