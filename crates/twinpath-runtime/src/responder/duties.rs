//! What a responder's thread has to do beside reflecting.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use twinpath_proto::reflector::{ClientRates, ReflectorConfig, SessionReflector};
use twinpath_proto::stamp::StampKeys;
use twinpath_wire::Mono;

use super::addresses::FollowAddresses;
use super::members::FollowMembers;
use crate::reflect::{Duties, Sockets};

/// What takes the place of what was in force before.
pub(super) enum Change {
    Keys(Arc<StampKeys>),
    Config(Box<ReflectorConfig>, Option<Arc<ClientRates>>),
}

/// Takes other keys and limits, and follows addresses and members of links.
pub(super) struct ResponderDuties {
    pub(super) changes: Receiver<Change>,
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
        for change in self.changes.try_iter() {
            match change {
                Change::Keys(keys) => engine.set_keys(keys),
                Change::Config(config, rates) => engine.set_config(*config, rates.as_ref()),
            }
        }
        let addresses_due = self.addresses.attend(sockets, now);
        let members_due = self.members.attend(sockets, now);
        [addresses_due, members_due].into_iter().flatten().min()
    }
}
