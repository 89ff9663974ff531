//! What a responder's thread has to do beside reflecting.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use twinpath_proto::reflector::SessionReflector;
use twinpath_proto::stamp::StampKeys;
use twinpath_wire::Mono;

use super::addresses::FollowAddresses;
use super::members::FollowMembers;
use crate::reflect::{Duties, Sockets};

/// Takes other keys, and follows addresses and members of links.
pub(super) struct ResponderDuties {
    pub(super) keys: Receiver<Arc<StampKeys>>,
    pub(super) addresses: FollowAddresses,
    pub(super) members: FollowMembers,
}

impl Duties for ResponderDuties {
    fn attend(
        &mut self,
        sockets: &mut Sockets,
        engine: &mut SessionReflector,
        now: Mono,
    ) -> Option<Mono> {
        if let Some(keys) = self.keys.try_iter().last() {
            engine.set_keys(keys);
        }
        let addresses_due = self.addresses.attend(sockets, now);
        let members_due = self.members.attend(sockets, now);
        [addresses_due, members_due].into_iter().flatten().min()
    }
}
