//! What a Server says first, before the engine judges it: TCP port 862 may be another service's.

use std::time::Duration;

use tokio::time::timeout;
use twinpath_proto::control::ControlClient;
use twinpath_wire::control::ServerGreeting;

use crate::link::Link;

/// This many octets of plain text are no greeting: it begins with 12 that are unused.
const UNUSED_OCTETS: usize = 12;
/// So much of what another service says is shown.
const SHOWN_OCTETS: usize = 48;

/// What a Server says first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// What may be a Server Greeting, or what the engine can say more about.
    Greeting,
    /// Nothing.
    Nothing,
    /// Something else, as plain characters.
    Other(String),
}

/// Waits for the Server Greeting, whole; the engine gets it afterwards.
pub(crate) async fn first(link: &mut Link<ControlClient>, patience: Duration) -> First {
    let enough = |octets: &[u8]| {
        let begin = octets.get(..UNUSED_OCTETS).unwrap_or_default();
        octets.len() >= ServerGreeting::OCTETS || is_text(begin)
    };
    let late = timeout(patience, link.gather(enough)).await.is_err();
    let said = link.unread();
    let begin = said.get(..UNUSED_OCTETS).unwrap_or(said);
    if is_text(begin) || (late && !said.is_empty()) {
        let shown = said.get(..SHOWN_OCTETS).unwrap_or(said);
        let mut lines = shown.split(|octet| matches!(octet, b'\r' | b'\n'));
        let told = lines.find(|line| !line.is_empty());
        return First::Other(told.unwrap_or_default().escape_ascii().to_string());
    }
    if late {
        First::Nothing
    } else {
        First::Greeting
    }
}

/// All of it is what people read, and there is some of it.
fn is_text(octets: &[u8]) -> bool {
    let plain = |octet: &u8| matches!(octet, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    !octets.is_empty() && octets.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_no_text_and_a_banner_is() {
        assert!(is_text(b"SSH-2.0-OpenSSH_9.2p1\r\n"));
        assert!(!is_text(&[0; 12]));
        assert!(!is_text(b""));
        assert!(!is_text(b"text\0and more"));
    }
}
