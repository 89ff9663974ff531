//! What the path did to the packets: marking and TTL.

pub(crate) mod marking;
pub(crate) mod ttl;
