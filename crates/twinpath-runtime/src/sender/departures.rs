//! Which transmit stamp belongs to which packet.

use std::collections::VecDeque;

use twinpath_net::TestSocket;
use twinpath_proto::sender::{SessionSender, TxToken};
use twinpath_wire::{Rung, Stamp};

/// Stamps awaited at most: what a queue below the socket may hold.
const AWAITED: usize = 8_192;
/// So many packets without one stamp: there are none to come.
const PATIENCE: usize = 1_000;

/// Tokens of packets that have left, by the key under which the kernel will tell of them.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// The key of the first token.
    first_key: u32,
    tokens: VecDeque<Option<TxToken>>,
    stamped: u64,
    settled: bool,
}

impl Departures {
    /// A packet has left; the kernel will tell of it under `key`.
    pub(super) fn left(&mut self, key: u32, token: TxToken) {
        if self.tokens.is_empty() {
            self.first_key = key;
        }
        self.tokens.push_back(Some(token));
        if self.tokens.len() > AWAITED {
            self.drop_first();
        }
    }

    /// The kernel told when: hands it to the engine. Whether the best rung to be had was reached
    /// for the first time.
    pub(super) fn told(&mut self, engine: &mut SessionSender, key: u32, stamp: Stamp) -> bool {
        let index = key.wrapping_sub(self.first_key) as usize;
        let Some(slot) = self.tokens.get_mut(index) else {
            return false;
        };
        let Some(token) = slot else { return false };
        engine.handle_tx_stamp(token, stamp);
        self.stamped += 1;
        // After the queue's stamp the driver's still comes.
        let best = stamp.rung < Rung::Queue;
        if best {
            *slot = None;
            while matches!(self.tokens.front(), Some(None)) {
                self.drop_first();
            }
        }
        best && !std::mem::replace(&mut self.settled, true)
    }

    /// So many have left and not one stamp came: the engine need not wait for any.
    pub(super) fn are_silent(&self) -> bool {
        self.stamped == 0 && self.tokens.len() >= PATIENCE
    }

    /// The kernel's count starts anew, for a packet was refused and may have been counted.
    pub(super) fn restart(&mut self, engine: &mut SessionSender, socket: &TestSocket) {
        socket.restart_keys(&mut |told| {
            if let twinpath_net::Told::Sent { key, stamp } = told {
                self.told(engine, key, stamp);
            }
        });
        self.tokens.clear();
    }

    fn drop_first(&mut self) {
        self.tokens.pop_front();
        self.first_key = self.first_key.wrapping_add(1);
    }
}
