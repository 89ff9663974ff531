//! The source address of a session's packets, which changes where an interface is made again with
//! another one, or a host gets another one: a reflector then takes the session for another.

use std::net::IpAddr;

use twinpath_net::local_address_towards;
use twinpath_report::finding::Host;
use twinpath_wire::{Arrival, Mono};

use crate::SenderPlan;
use crate::interfaces::LOOK_EVERY;

/// The address that the system sends from, as replies show.
#[derive(Debug)]
pub(super) struct Source {
    first: IpAddr,
    now: IpAddr,
    changes: u64,
    /// Replies were asked to go there: those that do say nothing of where packets leave from.
    returned_to: Option<IpAddr>,
    /// An interface was made again: the system is asked even if replies do not tell.
    may_differ: bool,
    next_look: Mono,
}

impl Source {
    pub(super) fn new(address: IpAddr, returned_to: Option<IpAddr>) -> Self {
        Self {
            first: address,
            now: address,
            changes: 0,
            returned_to,
            may_differ: false,
            next_look: Mono::from_ns(0),
        }
    }

    pub(super) fn may_have_changed(&mut self) {
        self.may_differ = true;
        self.next_look = Mono::from_ns(0);
    }

    /// True if a reply came to another address than those before, which packets left with. `answers`: whether it
    /// is the reply to a packet of the session, from its far end; what others send to any address of this host
    /// does not count.
    pub(super) fn is_changed_by(
        &mut self,
        arrival: &Arrival,
        plan: &SenderPlan,
        now: Mono,
        answers: impl FnOnce() -> bool,
    ) -> bool {
        let is_other = match arrival.to {
            Some(to) => to != self.now && Some(to.to_canonical()) != self.returned_to,
            None => self.may_differ && now >= self.next_look,
        };
        if !is_other || plan.near.is_some() || !answers() {
            return false;
        }
        // Where a reply tells, not what the system would send from now: a new interface has one address
        // sooner than the other.
        let address = if let Some(to) = arrival.to {
            Ok(to)
        } else {
            self.next_look = now + LOOK_EVERY;
            local_address_towards(plan.far, plan.path.interface.as_deref())
        };
        let Ok(address) = address else { return false };
        self.may_differ = false;
        let is_changed = address != self.now;
        self.now = address;
        self.changes += u64::from(is_changed);
        is_changed
    }

    /// That it changed.
    pub(super) fn finding(&self) -> Option<Host> {
        (self.changes > 0).then_some(Host::SourceAddressChanged {
            before: self.first,
            now: self.now,
            count: self.changes,
        })
    }
}
