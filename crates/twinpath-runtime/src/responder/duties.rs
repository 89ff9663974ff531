//! What a responder's thread has to do beside reflecting.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use twinpath_proto::reflector::SessionReflector;
use twinpath_proto::stamp::StampKeys;
use twinpath_wire::Mono;

use super::addresses::FollowAddresses;
use crate::reflect::{Duties, Sockets};

/// Takes other keys, and follows addresses.
pub(super) struct ResponderDuties {
    pub(super) keys: Receiver<Arc<StampKeys>>,
    pub(super) addresses: FollowAddresses,
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
        self.addresses.attend(sockets, now)
    }
}
