//! Whether the far end answers ICMP Echo.

use twinpath_runtime::probe::PingSeen;

use crate::doctor::{Ask, Check, Cost, Judged, MOST_ADDRESSES, Seen};
use crate::output::ends::named_host;
use crate::output::units;

pub(super) struct Icmp;

impl Check for Icmp {
    fn id(&self) -> &'static str {
        "reach.icmp"
    }

    fn costs(&self) -> Vec<Cost> {
        vec![("icmp".to_owned(), MOST_ADDRESSES)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        seen.addresses().map(Ask::Ping).collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let all: Vec<_> = seen
            .addresses()
            .filter_map(|far| Some((named_host(far), seen.ping(far)?)))
            .collect();
        let mut answered = all.iter().filter_map(|(far, ping)| match ping {
            PingSeen::Answered(took) => Some((far, *took)),
            PingSeen::Silent | PingSeen::NotPermitted | PingSeen::Failed(_) => None,
        });
        if let Some((far, took)) = answered.next() {
            let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            let finding = format!("{far} answers ICMP Echo in {}", units::span(took));
            return Judged::ok(finding);
        }
        if all.is_empty() {
            return Judged::skipped("no address");
        }
        let is_not_permitted = |(_, ping): &(_, PingSeen)| *ping == PingSeen::NotPermitted;
        if all.iter().all(is_not_permitted) {
            return Judged::skipped("this user may not send ICMP Echo")
                .advise("run it as root, or widen net.ipv4.ping_group_range");
        }
        // Many networks filter it, so it says little of the far end.
        Judged::unknown("no answer to ICMP Echo: filtered, or no host has that address")
    }
}
