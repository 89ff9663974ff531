//! The limits that plain sockets allow on this host, to compare the product with.
//!
//! Nothing here is used by the product, and nothing of the product's sockets is used here: each
//! program is as small as it can be, so that what it costs is what the system costs. Linux, 64 bits.
#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "system calls as the product makes them, and none of its code; nothing that is shipped depends on this"
)]

mod batch;
mod burst;
mod capture;
mod echo;
mod flood;
mod ideal;
mod message;
mod pace;
mod sys;

pub use burst::{BurstCount, burst};
pub use capture::{Capture, Captured, Direction};
pub use echo::echo;
pub use flood::{FloodCount, FloodPlan, flood, flood_with};
pub use ideal::{IdealPlan, IdealSample, ideal_reflector, ideal_sender};
pub use pace::{PacePlan, pace};
pub use sys::{
    bind_child, children_cpu, interrupt, monotonic_ns, raise_receive_buffer, thread_cpu_ns,
};
