//! The checks, a file each.

mod icmp;
mod light;
mod stamp;
mod tcp;
mod udp;

use super::Check;

/// All of them, in the order of their rows.
pub(crate) static CHECKS: &[&dyn Check] = &[
    &icmp::Icmp,
    &udp::Udp,
    &tcp::Control,
    &tcp::Owamp,
    &light::Answers,
    &stamp::Answers,
];
