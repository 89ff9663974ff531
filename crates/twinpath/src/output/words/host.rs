//! What privileges allow.

use twinpath_runtime::host::Capability;

/// What a process can do with the privilege.
pub(crate) const fn buys(capability: Capability) -> &'static str {
    match capability {
        Capability::DacOverride => "writing files of other users",
        Capability::DacReadSearch => "reading files of other users",
        Capability::NetBindService => "ports below 1024, such as 862",
        Capability::NetAdmin => "hardware timestamps, receive buffers above the system's limit",
        Capability::NetRaw => "--interface on kernels before 5.7",
    }
}
