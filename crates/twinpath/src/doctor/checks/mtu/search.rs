//! Which sizes to try next: known MTUs first, then between the largest that passes and the next that fails.

use std::net::SocketAddr;

use twinpath_runtime::probe::HostSeen;

use super::limits::{Gap, Limits};
use crate::doctor::Seen;
use crate::doctor::ladder::{Ladder, MOST_SIZES};

/// Packets of the search at most.
pub(super) const MOST_PACKETS: usize = 116;
/// Those with which fragments are tried.
pub(super) const FRAGMENTED_PACKETS: usize = 4;

/// Octets of IP packets: the least of IPv4 and of IPv6, tunnels, PPPoE, Ethernet, jumbo frames.
const KNOWN: [u16; 11] = [
    576, 1_280, 1_400, 1_420, 1_450, 1_472, 1_476, 1_480, 1_492, 1_500, 9_000,
];
/// The largest packet tried.
const LARGEST: u16 = 9_216;
const LEAST_V6: u16 = 1_280;
/// Sizes of a ladder between two others.
const BETWEEN: u16 = 6;
/// Packets of each size once it is confirmed that it fails.
const CONFIRMING: usize = 4;
/// By how much packets in fragments are over the limit.
const OVER: u16 = 600;

/// The next ladder; `None`: the limits are known, or cannot be found.
pub(super) fn next(seen: &Seen, far: SocketAddr, host: HostSeen) -> Option<Ladder> {
    let patience_ms = seen.patience_ms();
    let Some(limits) = Limits::of(seen, far) else {
        return Some(Ladder::of(&first(far, host), patience_ms));
    };
    limits.out.passes?;
    let of_search = || seen.ladders(far).filter(|(ladder, _)| ladder.is_whole);
    let spent: usize = of_search().map(|(ladder, _)| ladder.count()).sum();
    let mut open: Vec<Gap> = [limits.out, limits.back]
        .into_iter()
        .filter(|gap| matches!((gap.passes, gap.fails), (Some(passes), Some(fails)) if fails - passes > 1))
        .collect();
    open.dedup();
    let ladder = if open.is_empty() {
        let is_confirmed = of_search().any(|(ladder, _)| ladder.each == CONFIRMING);
        let doubtful = limits.silent().filter(|_| !is_confirmed);
        let both = doubtful.flat_map(|(gap, _)| [gap.passes, gap.fails]);
        let sizes: Vec<u16> = both.flatten().collect();
        let mut ladder = ascending(sizes, patience_ms)?;
        ladder.each = CONFIRMING;
        ladder
    } else {
        let told = limits.told.and_then(|(mtu, _)| u16::try_from(mtu).ok());
        let gaps = u16::try_from(open.len()).unwrap_or(1);
        let between = |gap: &Gap| between(*gap, told, BETWEEN / gaps);
        ascending(open.iter().flat_map(between).collect(), patience_ms)?
    };
    // The same again would not tell more.
    let is_known =
        of_search().any(|(asked, _)| asked.sizes() == ladder.sizes() && asked.each == ladder.each);
    if is_known {
        return None;
    }
    (spent + ladder.count() <= MOST_PACKETS).then_some(ladder)
}

/// Packets without DF that need fragments; `None`: no such size is known.
pub(super) fn fragmented(seen: &Seen, limits: &Limits, host: HostSeen) -> Option<Ladder> {
    let (far, passes) = (limits.far?, limits.out.passes?);
    let interface = host.interface_mtu.and_then(|mtu| u16::try_from(mtu).ok());
    let octets = if far.is_ipv4() {
        limits.out.fails.or(interface)?.max(passes)
    } else {
        // Routers do not fragment IPv6; this host does by its interface.
        interface.filter(|mtu| *mtu <= passes)?
    };
    let mut ladder = Ladder::of(&[octets.checked_add(OVER)?], seen.patience_ms());
    ladder.is_whole = false;
    Some(ladder)
}

fn first(far: SocketAddr, host: HostSeen) -> Vec<u16> {
    let interface = host.interface_mtu.and_then(|mtu| u16::try_from(mtu).ok());
    let largest = interface.unwrap_or(LARGEST).min(LARGEST);
    let least = if far.is_ipv4() { 0 } else { LEAST_V6 };
    let known = KNOWN
        .into_iter()
        .filter(|octets| *octets >= least && *octets < largest);
    known.chain([largest]).collect()
}

/// Sizes within a gap: the MTU that an ICMP error has and the next; else several.
fn between(gap: Gap, told: Option<u16>, count: u16) -> Vec<u16> {
    let (Some(passes), Some(fails)) = (gap.passes, gap.fails) else {
        return Vec::new();
    };
    let is_inside = |octets: &u16| passes < *octets && *octets < fails;
    if let Some(told) = told {
        let both = [told, told.saturating_add(1)];
        let inside: Vec<u16> = both.into_iter().filter(is_inside).collect();
        if !inside.is_empty() {
            return inside;
        }
    }
    let width = u32::from(fails - passes);
    let inner = (1..count).filter_map(|step| {
        let past = width * u32::from(step) / u32::from(count);
        passes.checked_add(u16::try_from(past).ok()?)
    });
    inner.chain([passes + 1]).filter(is_inside).collect()
}

fn ascending(mut sizes: Vec<u16>, patience_ms: u16) -> Option<Ladder> {
    sizes.sort_unstable();
    sizes.dedup();
    sizes.truncate(MOST_SIZES);
    (!sizes.is_empty()).then(|| Ladder::of(&sizes, patience_ms))
}
