//! Sub-TLVs within the value of a TLV (RFC 8972 section 4.2.1; rows ST-33, ST-34).

use twinpath_wire::{BrokenChain, TlvFlags, TlvHeader, TlvMut, TlvsMut};

/// What became of a sub-TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sub {
    /// Done: no flag.
    Used,
    /// Not understood, not possible or not allowed: U.
    NotUsed,
    /// Its Length is wrong: M.
    Malformed,
}

/// Gives each sub-TLV to `each` and sets its flags by what that says, until the first that is
/// malformed. Whether none was.
pub(super) fn each(octets: &mut [u8], mut each: impl FnMut(&mut TlvMut<'_>) -> Sub) -> bool {
    let mut at = 0;
    let mut is_whole = true;
    for sub in TlvsMut::new(octets) {
        let mut sub = match sub {
            Ok(sub) => sub,
            Err(broken) => {
                if let BrokenChain::PastEnd { .. } = broken {
                    mark_malformed(octets, at);
                }
                return false;
            }
        };
        at += TlvHeader::OCTETS + sub.value.len();
        sub.header.flags = match each(&mut sub) {
            Sub::Used => TlvFlags(0),
            Sub::NotUsed => TlvFlags::UNRECOGNIZED,
            Sub::Malformed => {
                is_whole = false;
                TlvFlags::MALFORMED
            }
        };
        if !is_whole {
            break;
        }
    }
    is_whole
}

/// Sets M in the header at `at`.
pub(super) fn mark_malformed(octets: &mut [u8], at: usize) {
    if let Some(flags) = octets.get_mut(at) {
        let TlvFlags(malformed) = TlvFlags::MALFORMED;
        *flags = malformed;
    }
}
