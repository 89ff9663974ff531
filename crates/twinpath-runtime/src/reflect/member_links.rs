//! Links whose members have sockets of their own (RFC 9534).

use std::sync::Arc;
use std::time::Duration;

use twinpath_net::interface;
use twinpath_wire::Mono;

/// How long a number is taken to be that of the same interface.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// The bonds, teams and bridges whose members have sockets of their own, and single interfaces that have
/// one. They are known by their names: one that is made again has another number.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemberLinks {
    names: Arc<[String]>,
    /// Interfaces that were asked for lately, and whether they are among them.
    known: Vec<(u32, bool)>,
    known_until: Mono,
}

impl MemberLinks {
    /// Those of these names.
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self {
            names: names.into(),
            ..Self::default()
        }
    }

    /// Whether the interface with this number is one of them.
    pub(super) fn have(&mut self, interface: u32, now: Mono) -> bool {
        if self.names.is_empty() {
            return false;
        }
        if now >= self.known_until {
            self.known.clear();
            self.known_until = now + KNOWN_FOR;
        }
        if let Some((_, is_one)) = self.known.iter().find(|(known, _)| *known == interface) {
            return *is_one;
        }
        let name = interface::name_of(interface);
        let is_one = name.is_some_and(|name| self.names.contains(&name));
        self.known.push((interface, is_one));
        is_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_name() {
        let Some(loopback) = interface::index_of("lo") else {
            return;
        };
        let now = Mono::from_ns(0);
        let mut links = MemberLinks::new(vec!["lo".to_owned()]);
        for _ in 0..2 {
            assert!(links.have(loopback, now) && !links.have(0x7fff_fff0, now));
        }
        let mut others = MemberLinks::new(vec!["bond7".to_owned()]);
        assert!(!others.have(loopback, now));
        assert!(!MemberLinks::default().have(loopback, now));
    }
}
