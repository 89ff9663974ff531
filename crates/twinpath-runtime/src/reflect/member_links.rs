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
    /// The interface that was asked for last, and whether it is one of them.
    last: Option<(u32, bool)>,
    last_until: Mono,
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
        if let Some((known, is_one)) = self.last
            && known == interface
            && now < self.last_until
        {
            return is_one;
        }
        let name = interface::name_of(interface);
        let is_one = name.is_some_and(|name| self.names.contains(&name));
        self.last = Some((interface, is_one));
        self.last_until = now + KNOWN_FOR;
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
