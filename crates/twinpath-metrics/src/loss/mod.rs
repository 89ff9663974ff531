//! What was lost, in which direction and in what patterns; duplicates; availability.

pub(crate) mod availability;
pub(crate) mod coverage;
pub(crate) mod direction;
pub(crate) mod duplication;
pub(crate) mod epoch;
pub(crate) mod periods;
pub(crate) mod reply_status;
pub(crate) mod seen;
pub(crate) mod sizes;
