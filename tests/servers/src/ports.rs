//! Ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;

/// Below the range that systems give to outgoing connections: a client that tries a dead server again and again can otherwise end up
/// connected to itself, and the server cannot come back.
const FIRST: u32 = 15_000;
const COUNT: u32 = 15_000;

/// A port that is free now, handed out once by this process. Another process may still be quicker: whoever starts a server tries again.
pub fn free() -> anyhow::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes start far apart, so that test programs that run side by side rarely meet.
    let start = std::process::id().wrapping_mul(7_919);
    (0..COUNT)
        .filter_map(|_| {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            u16::try_from(FIRST + start.wrapping_add(step) % COUNT).ok()
        })
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free")
}
