//! Trials over the network.

use std::net::SocketAddr;
use std::time::Duration;

#[cfg(feature = "control")]
use twinpath_proto::security::Credentials;
#[cfg(feature = "control")]
use twinpath_runtime::keys::Key;
use twinpath_runtime::probe::{self, Crowd, RawConnection, RawRead, Train, TrainSeen};
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use super::Link;
use super::steps::Line;

/// The network.
pub(crate) struct NetworkLink<'a> {
    /// No more is sent.
    pub(crate) stopped: &'a dyn Fn() -> bool,
}

impl Link for NetworkLink<'_> {
    fn now(&self) -> Wall {
        wall()
    }

    fn trains(&mut self, trains: &[Train]) -> Option<Vec<Result<TrainSeen, String>>> {
        let seen = probe::run_trains(trains, None, self.stopped).ok()?;
        if self.is_stopped() {
            return None;
        }
        let each = seen.into_iter();
        Some(
            each.map(|seen| seen.map_err(|error| error.to_string()))
                .collect(),
        )
    }

    fn is_stopped(&self) -> bool {
        (self.stopped)()
    }

    #[cfg(feature = "control")]
    fn credentials(&mut self, key: &Key) -> Option<Credentials> {
        probe::credentials(key.clone()).ok()
    }

    fn connect(
        &mut self,
        far: SocketAddr,
        patience: Duration,
    ) -> Option<Result<Box<dyn Line>, String>> {
        if self.is_stopped() {
            return None;
        }
        Some(match RawConnection::connect(far, patience) {
            Ok(connection) => Ok(Box::new(connection)),
            Err(error) => Err(error.to_string()),
        })
    }
}

impl Line for RawConnection {
    fn ports(&self) -> [u16; 2] {
        Self::ports(self)
    }

    fn write(&mut self, octets: &[u8]) -> bool {
        Self::write(self, octets)
    }

    fn read(&mut self, octets: usize, patience: Duration) -> RawRead {
        Self::read(self, octets, patience)
    }

    fn crowd(
        &mut self,
        connections: usize,
        octets: usize,
        patience: Duration,
        stopped: &dyn Fn() -> bool,
    ) -> Crowd {
        Self::crowd(self, connections, octets, patience, stopped)
    }

    fn close_half(&mut self) {
        Self::close_half(self);
    }

    fn send(&mut self, from: usize, to: u16, datagram: &[u8]) {
        Self::send(self, from, to, datagram);
    }

    fn receive(
        &mut self,
        at: usize,
        from: u16,
        patience: Duration,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        Self::receive(self, at, from, patience, wanted)
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}
