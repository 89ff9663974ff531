//! Changes made to packets by the path: marking and TTL.

pub(crate) mod marking;
pub(crate) mod ttl;
