//! Capabilities (capabilities(7)).

use caps::errors::CapsError;
use caps::{CapSet, CapsHashSet};

use super::ConfineError;
use crate::host::Capability;

/// Drops all but these, for programs that this one might execute too.
pub(super) fn keep(keep: &[Capability]) -> Result<(), ConfineError> {
    drop_others(keep).map_err(|error| ConfineError::Refused(error.to_string()))
}

fn drop_others(keep: &[Capability]) -> Result<(), CapsError> {
    let keep: CapsHashSet = keep.iter().map(|it| named(*it)).collect();
    let permitted = caps::read(None, CapSet::Permitted)?;
    let inheritable = caps::read(None, CapSet::Inheritable)?;
    // Nothing to drop; a service manager may refuse the calls for it.
    if permitted.is_subset(&keep) && inheritable.is_subset(&keep) {
        return Ok(());
    }
    caps::clear(None, CapSet::Inheritable)?;
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP)? {
        for capability in caps::read(None, CapSet::Bounding)?.difference(&keep) {
            caps::drop(None, CapSet::Bounding, *capability)?;
        }
    }
    let left: CapsHashSet = permitted.intersection(&keep).copied().collect();
    let effective = caps::read(None, CapSet::Effective)?;
    let effective = effective.intersection(&left).copied().collect();
    caps::set(None, CapSet::Effective, &effective)?;
    caps::set(None, CapSet::Permitted, &left)
}

fn named(capability: Capability) -> caps::Capability {
    match capability {
        Capability::DacOverride => caps::Capability::CAP_DAC_OVERRIDE,
        Capability::DacReadSearch => caps::Capability::CAP_DAC_READ_SEARCH,
        Capability::NetBindService => caps::Capability::CAP_NET_BIND_SERVICE,
        Capability::NetAdmin => caps::Capability::CAP_NET_ADMIN,
        Capability::NetRaw => caps::Capability::CAP_NET_RAW,
    }
}
