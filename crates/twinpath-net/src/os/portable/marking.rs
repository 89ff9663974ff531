//! The ToS of packets, where it is an option of the socket.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use twinpath_wire::Tos;

/// What packets are marked with. Only one thread sends.
#[derive(Debug)]
pub(super) struct Marking {
    /// The ToS of packets that have none of their own.
    usual: Tos,
    /// What the option is now.
    now: AtomicU8,
}

impl Marking {
    /// Of a socket whose packets have this ToS.
    pub(super) fn of(usual: Tos) -> Self {
        Self {
            usual,
            now: AtomicU8::new(0),
        }
    }

    /// The next packet leaves with this ToS, or the usual one. `set` sets the option.
    pub(super) fn mark(
        &self,
        tos: Option<Tos>,
        set: impl FnOnce(i32) -> io::Result<()>,
    ) -> io::Result<()> {
        let tos = tos.unwrap_or(self.usual).0;
        if self.now.load(Ordering::Relaxed) != tos {
            set(tos.into())?;
            self.now.store(tos, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_set_where_it_changes() {
        let marking = Marking::of(Tos(0));
        let mut set = Vec::new();
        for tos in [None, Some(Tos(184)), Some(Tos(184)), None] {
            marking
                .mark(tos, |value| {
                    set.push(value);
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(set, [184, 0]);
        let refused = || Err(io::ErrorKind::Unsupported.into());
        assert!(marking.mark(Some(Tos(8)), |_| refused()).is_err());
        // It is tried again.
        assert!(marking.mark(Some(Tos(8)), |_| refused()).is_err());
    }
}
