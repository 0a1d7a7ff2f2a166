//! How often somebody may try to sign in. Each try takes one of a few that are free, at its address and among all; a right token gives it back, and
//! time gives them back one by one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Tries of one address that may follow each other, and time after which each is free again.
const OF_ADDRESS: Rate = Rate {
    burst: 10,
    every: Duration::from_secs(6),
};
/// The same of all addresses together.
const OF_ALL: Rate = Rate {
    burst: 100,
    every: Duration::from_millis(600),
};
/// Addresses that are remembered; the one that may try again soonest makes room.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// When all tries of a limit will be free again, if nobody tries. Each try moves it on by the time that frees one.
type FreeAt = Instant;

impl Rate {
    /// When all would be free after one more try; `Err`: how long there is none.
    fn take(self, free_at: Option<FreeAt>, now: Instant) -> Result<FreeAt, Duration> {
        let free_at = free_at.map_or(now, |free_at| free_at.max(now));
        let latest = now + self.every * (self.burst - 1);
        match free_at.checked_duration_since(latest) {
            Some(wait) if wait > Duration::ZERO => Err(wait),
            _ => Ok(free_at + self.every),
        }
    }
}

/// Tries to sign in.
#[derive(Default)]
pub(crate) struct SignInLimit {
    tries: Mutex<Tries>,
}

#[derive(Default)]
struct Tries {
    all: Option<FreeAt>,
    addresses: HashMap<IpAddr, FreeAt>,
}

impl SignInLimit {
    /// Each change under the lock leaves it whole.
    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a try of an address. `Err`: how long to wait. It is taken before the token is looked at, so that many at once are counted too.
    pub(crate) fn take(&self, address: IpAddr) -> Result<(), Duration> {
        let (now, address) = (Instant::now(), network(address));
        let mut tries = self.tries();
        let of_address = OF_ADDRESS.take(tries.addresses.get(&address).copied(), now)?;
        let of_all = OF_ALL.take(tries.all, now)?;
        make_room(&mut tries.addresses, address, now);
        tries.addresses.insert(address, of_address);
        tries.all = Some(of_all);
        Ok(())
    }

    /// Gives a try back: its token was right.
    pub(crate) fn give_back(&self, address: IpAddr) {
        let mut tries = self.tries();
        if let Some(free_at) = tries.addresses.get_mut(&network(address)) {
            *free_at -= OF_ADDRESS.every;
        }
        tries.all = tries.all.map(|free_at| free_at - OF_ALL.every);
    }
}

fn make_room(addresses: &mut HashMap<IpAddr, FreeAt>, address: IpAddr, now: Instant) {
    if addresses.len() < ADDRESSES_MAX || addresses.contains_key(&address) {
        return;
    }
    addresses.retain(|_, free_at| *free_at > now);
    if addresses.len() >= ADDRESSES_MAX {
        let soonest = addresses.iter().min_by_key(|(_, free_at)| **free_at);
        let soonest = soonest.map(|(address, _)| *address);
        soonest.and_then(|address| addresses.remove(&address));
    }
}

/// What one client has the addresses of: of IPv6, the upper half.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_a_few_tries_and_gets_them_back_one_by_one() {
        let limit = SignInLimit::default();
        for _ in 0..OF_ADDRESS.burst {
            assert_eq!(limit.take(address(1)), Ok(()));
        }
        assert_eq!(limit.take(address(1)), Err(OF_ADDRESS.every));
        assert_eq!(limit.take(address(2)), Ok(()), "another address");
        tokio::time::advance(OF_ADDRESS.every).await;
        assert_eq!(limit.take(address(1)), Ok(()));
        assert!(limit.take(address(1)).is_err(), "one at a time");
        limit.give_back(address(1));
        assert_eq!(limit.take(address(1)), Ok(()), "a right token costs nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_together_have_a_limit_and_take_bounded_room() {
        let limit = SignInLimit::default();
        for number in 0..OF_ALL.burst {
            assert_eq!(limit.take(address(number)), Ok(()));
        }
        assert_eq!(limit.take(address(9_999)), Err(OF_ALL.every));
        for number in 0..2 * ADDRESSES_MAX as u32 {
            tokio::time::advance(OF_ALL.every).await;
            limit.take(address(number)).unwrap();
        }
        assert!(limit.tries().addresses.len() <= ADDRESSES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_of_one_client_are_one() {
        let limit = SignInLimit::default();
        for number in 0..OF_ADDRESS.burst {
            let address: IpAddr = format!("2001:db8::{number:x}").parse().unwrap();
            limit.take(address).unwrap();
        }
        assert!(limit.take("2001:db8::ffff".parse().unwrap()).is_err());
        assert!(limit.take("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
