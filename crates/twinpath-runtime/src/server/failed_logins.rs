//! Clients that did not prove a key: counted one by one, logged together.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use crate::names::named;

/// Failed logins of all clients.
#[derive(Debug, Default)]
pub(super) struct FailedLogins(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// So far.
    count: u64,
    /// Of those, how many were logged.
    logged: u64,
    last: Option<SocketAddr>,
}

impl FailedLogins {
    /// A client's Key-ID is unknown, or its passphrase wrong.
    pub(super) fn add(&self, peer: SocketAddr) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        state.last = Some(peer);
    }

    /// So far.
    pub(super) fn count(&self) -> u64 {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count
    }

    /// Those since the last call, and the last of them.
    fn take(&self) -> Option<(u64, SocketAddr)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unsaid = state.count - state.logged;
        state.logged = state.count;
        state.last.filter(|_| unsaid > 0).map(|last| (unsaid, last))
    }

    /// Logs what was not logged yet.
    pub(super) fn log(&self) {
        if let Some((clients, last)) = self.take() {
            warn!(clients, last = %named(last), "unknown Key-ID or wrong passphrase");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_guesses_are_one_line() {
        let failed_logins = FailedLogins::default();
        assert_eq!(failed_logins.take(), None);
        let peer = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        for port in 1..=1_000 {
            failed_logins.add(peer(port));
        }
        assert_eq!(failed_logins.take(), Some((1_000, peer(1_000))));
        assert_eq!(failed_logins.take(), None);
        failed_logins.add(peer(7));
        assert_eq!(failed_logins.take(), Some((1, peer(7))));
        assert_eq!(failed_logins.count(), 1_001);
    }
}
