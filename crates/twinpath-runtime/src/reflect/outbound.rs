//! Where a reply goes, and how.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_net::{Outbound, interface, local_address_towards};
use twinpath_proto::extension::Effects;
use twinpath_wire::{Arrival, Mono, Tos};

/// How often the kernel is asked which address it would send from.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The way of a reply to a request: the ordinary one, but for what extensions ask.
/// `names_source`: the socket has many addresses, and the reply must come from the one that was asked. `stamp`:
/// the kernel is to report when the reply left.
pub(super) fn outbound(
    arrival: &Arrival,
    tos: Tos,
    effects: &Effects,
    names_source: bool,
    stamp: bool,
) -> Outbound {
    // A reply to what was sent to a group comes from the address that the kernel chooses.
    let own = (arrival.to).filter(|to| names_source && !to.is_multicast());
    let asked = effects.source.filter(|asked| arrival.to != Some(*asked));
    let from = asked.or(own);
    let is_bound_to_link = from.is_some_and(is_link_local);
    let to = effects.to(arrival);
    Outbound {
        to,
        from,
        tos: Some(tos),
        interface: if effects.same_link || is_bound_to_link {
            arrival.interface
        } else {
            0
        },
        // Back to where the request itself came from: what other frames say of that address does not count.
        mac: arrival.mac.filter(|_| to.ip() == arrival.from.ip()),
        stamp,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// How a reply must be sent to leave by the link of its request: `None`, it cannot be made sure. Over IPv6
/// the kernel keeps to an interface only where the source is its own choice, which must then be
/// the address that the reply must come from.
#[derive(Debug, Default)]
pub(super) struct SameLink {
    /// What was found out last: for a destination by an interface, the source that the kernel chooses.
    known: Option<(SocketAddr, u32, Option<IpAddr>)>,
    ask_due: Mono,
}

impl SameLink {
    /// `near`: the address that the socket is bound to, if it is bound to one.
    pub(super) fn outbound(
        &mut self,
        out: Outbound,
        near: Option<IpAddr>,
        now: Mono,
    ) -> Option<Outbound> {
        let is_strict = out.to.is_ipv4() || is_link_local(out.to.ip());
        if is_strict {
            return Some(out);
        }
        if near.is_some() {
            return None;
        }
        let asked = (out.to, out.interface);
        let known = self
            .known
            .filter(|(to, interface, _)| (*to, *interface) == asked);
        let known = known.filter(|_| now < self.ask_due);
        let source = known.map_or_else(|| source_by(out.to, out.interface), |(.., source)| source);
        if known.is_none() {
            self.known = Some((out.to, out.interface, source));
            self.ask_due = now + ASK_EVERY;
        }
        (source == out.from).then_some(Outbound { from: None, ..out })
    }
}

/// The address from which the kernel would send there by this interface, if there is a route.
fn source_by(to: SocketAddr, interface: u32) -> Option<IpAddr> {
    let name = interface::name_of(interface)?;
    local_address_towards(to, Some(&name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reflect::paths;

    const TOS: Tos = Tos(0x28);
    const INTERFACE: u32 = 3;

    fn arrival(from: &str, to: &str) -> Arrival {
        paths::tests::arrival(from, to, INTERFACE)
    }

    /// Destination, source and interface of a reply with these effects.
    fn way(arrival: &Arrival, effects: &Effects, names_source: bool) -> String {
        let [out, stamped] =
            [false, true].map(|stamp| outbound(arrival, TOS, effects, names_source, stamp));
        assert!(!out.stamp && stamped.stamp);
        let from = out
            .from
            .map_or_else(|| "-".to_owned(), |from| from.to_string());
        format!("{} {from} {}", out.to, out.interface)
    }

    #[test]
    fn without_effects_a_reply_goes_back_from_the_address_that_was_asked() {
        let ordinary = Effects::default();
        for (from, to, many, one) in [
            (
                "192.0.2.9:5",
                "192.0.2.1",
                "192.0.2.9:5 192.0.2.1 0",
                "192.0.2.9:5 - 0",
            ),
            (
                "[fd98::9]:5",
                "fd98::1",
                "[fd98::9]:5 fd98::1 0",
                "[fd98::9]:5 - 0",
            ),
            (
                "[fe80::9%3]:5",
                "fe80::1",
                "[fe80::9%3]:5 fe80::1 3",
                "[fe80::9%3]:5 - 0",
            ),
        ] {
            let arrival = arrival(from, to);
            assert_eq!(way(&arrival, &ordinary, true), many);
            assert_eq!(way(&arrival, &ordinary, false), one);
            assert_eq!(
                outbound(&arrival, TOS, &ordinary, true, false).tos,
                Some(TOS)
            );
        }
    }

    #[test]
    fn each_effect_changes_one_thing() {
        let v4 = arrival("192.0.2.9:5", "192.0.2.1");
        let v6 = arrival("[fe80::9%3]:5", "fe80::1");
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let source = |text| Effects {
            source: ip(text),
            ..Effects::default()
        };
        let destination = |text| Effects {
            destination: ip(text),
            ..Effects::default()
        };
        let same_link = Effects {
            same_link: true,
            ..Effects::default()
        };
        for (arrival, effects, many, one) in [
            (
                &v4,
                source("192.0.2.2"),
                "192.0.2.9:5 192.0.2.2 0",
                "192.0.2.9:5 192.0.2.2 0",
            ),
            (
                &v4,
                source("192.0.2.1"),
                "192.0.2.9:5 192.0.2.1 0",
                "192.0.2.9:5 - 0",
            ),
            (
                &v6,
                source("fd98::2"),
                "[fe80::9%3]:5 fd98::2 0",
                "[fe80::9%3]:5 fd98::2 0",
            ),
            (
                &v4,
                destination("192.0.2.8"),
                "192.0.2.8:5 192.0.2.1 0",
                "192.0.2.8:5 - 0",
            ),
            (
                &v6,
                destination("fe80::8"),
                "[fe80::8%3]:5 fe80::1 3",
                "[fe80::8%3]:5 - 0",
            ),
            (
                &v6,
                destination("fd98::8"),
                "[fd98::8]:5 fe80::1 3",
                "[fd98::8]:5 - 0",
            ),
            (&v4, same_link, "192.0.2.9:5 192.0.2.1 3", "192.0.2.9:5 - 3"),
        ] {
            assert_eq!(way(arrival, &effects, true), many, "{effects:?}");
            assert_eq!(way(arrival, &effects, false), one, "{effects:?}");
        }
    }
}
