//! The driver of TWAMP-Control: octets between an engine, the Server's or the Control-Client's, and
//! its TCP connection, in the round that `twinpath_proto::control` describes. Input that the engine
//! does not take is not read on: a connection holds at most one read's worth of it.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;
use twinpath_net::{Device, clock, stream};
use twinpath_proto::control::{ClientEvent, ControlClient, Server, ServerEvent};
use twinpath_wire::Mono;

use crate::interfaces::{FollowedInterface, LOOK_EVERY};

/// Octets read at once. Neither side has much to say.
const READ_OCTETS: usize = 2_048;
/// Rounds until others have their turn: a peer may talk without a pause.
const ROUNDS: u32 = 4;
/// A wait that nothing bounds.
const LONG: Duration = Duration::from_hours(1);
/// How long the peer may take to close its side when all is said.
const PARTING: Duration = Duration::from_secs(1);
/// Octets of the peer's that are read for that, and thrown away.
const PARTING_OCTETS: usize = 1 << 16;

/// An engine of TWAMP-Control, as its driver sees it.
pub(crate) trait Engine {
    type Event;

    fn wants_input(&self) -> bool;
    fn handle_input(&mut self, now: Mono, octets: &[u8]) -> usize;
    fn handle_eof(&mut self, now: Mono);
    fn handle_timeout(&mut self, now: Mono);
    fn handle_written(&mut self, now: Mono, octets: usize);
    fn poll_event(&mut self) -> Option<Self::Event>;
    fn poll_output(&mut self) -> Option<&[u8]>;
    fn poll_timeout(&self) -> Option<Mono>;
    fn is_closed(&self) -> bool;
}

/// The engines' own methods of the same names.
macro_rules! engine {
    ($engine:ty, $event:ty) => {
        impl Engine for $engine {
            type Event = $event;

            fn wants_input(&self) -> bool {
                self.wants_input()
            }
            fn handle_input(&mut self, now: Mono, octets: &[u8]) -> usize {
                self.handle_input(now, octets)
            }
            fn handle_eof(&mut self, now: Mono) {
                self.handle_eof(now);
            }
            fn handle_timeout(&mut self, now: Mono) {
                self.handle_timeout(now);
            }
            fn handle_written(&mut self, now: Mono, octets: usize) {
                self.handle_written(now, octets);
            }
            fn poll_event(&mut self) -> Option<$event> {
                self.poll_event()
            }
            fn poll_output(&mut self) -> Option<&[u8]> {
                self.poll_output()
            }
            fn poll_timeout(&self) -> Option<Mono> {
                self.poll_timeout()
            }
            fn is_closed(&self) -> bool {
                self.is_closed()
            }
        }
    };
}
engine!(Server, ServerEvent);
engine!(ControlClient, ClientEvent);

/// An engine and its connection.
#[derive(Debug)]
pub(crate) struct Link<E> {
    pub(crate) engine: E,
    stream: TcpStream,
    /// Read and not taken by the engine.
    unread: Vec<u8>,
    input: Input,
    /// Output waits for the connection to take more.
    blocked: bool,
    /// The peer takes no more.
    deaf: bool,
    /// The interface that the connection is bound to.
    following: Option<FollowedInterface>,
    /// How often it was bound again, for the driver to count.
    pub(crate) rebinds: u64,
}

/// How the peer took its leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// It closed its side.
    Closed,
    /// It reset the connection.
    Reset,
    /// It did neither in time.
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// The peer sends no more.
    Ended,
    /// The engine knows that.
    Told,
}

impl<E: Engine> Link<E> {
    pub(crate) fn new(stream: TcpStream, engine: E) -> Self {
        Self {
            engine,
            stream,
            unread: Vec::new(),
            input: Input::Open,
            blocked: false,
            deaf: false,
            following: None,
            rebinds: 0,
        }
    }

    /// It is bound to this interface: by the operator's wish, or by the zone of its addresses.
    pub(crate) fn on(mut self, interface: Option<&str>) -> Self {
        let local = self.stream.local_addr().ok();
        let device = local.and_then(|local| Device::of(local, interface));
        self.following = device.as_ref().map(FollowedInterface::of);
        self
    }

    /// Binds the connection to its interface again if that was made again. TCP then sends again what
    /// the peer did not get.
    fn follow(&mut self, now: Mono) {
        if let Some(following) = &mut self.following
            && let Some(index) = following.moved(now)
        {
            let bound = stream::bind_again(&self.stream, following.name());
            self.rebinds += u64::from(following.record_binding(index, now, bound));
        }
    }

    /// The next event; `None` once the engine is closed or nothing can be said to the peer any
    /// more. Nothing is lost where this is given up half-way.
    pub(crate) async fn event(&mut self) -> Option<E::Event> {
        let mut rounds = 0;
        loop {
            if let Some(event) = self.engine.poll_event() {
                return Some(event);
            }
            let now = clock::mono();
            self.follow(now);
            self.write(now);
            let came = self.read(now);
            if !came && (self.engine.is_closed() || (self.deaf && self.input == Input::Told)) {
                return None;
            }
            let due = self.engine.poll_timeout();
            let is_due = due.is_some_and(|due| due <= now);
            if is_due {
                self.engine.handle_timeout(now);
            }
            if came || is_due {
                rounds += 1;
                if rounds % ROUNDS == 0 {
                    yield_now().await;
                }
                continue;
            }
            let longest = if self.following.is_some() {
                LOOK_EVERY
            } else {
                LONG
            };
            let patience = due.map_or(longest, |due| due.since(now).min(longest));
            // Whichever came, the next round shows it.
            let _ = timeout(patience, self.ready()).await;
        }
    }

    /// Reads without the engine's knowledge, until there is `enough` or no more comes. The
    /// engine gets it afterwards.
    pub(crate) async fn gather(&mut self, enough: impl Fn(&[u8]) -> bool) {
        while self.input == Input::Open && !enough(&self.unread) {
            if self.stream.readable().await.is_err() {
                self.input = Input::Ended;
            }
            let mut octets = [0; READ_OCTETS];
            let count = self.receive(&mut octets).unwrap_or(0);
            let octets = octets.get(..count).unwrap_or_default();
            self.unread.extend_from_slice(octets);
        }
    }

    /// What was read and not taken by the engine.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Sends what is left to say, and closes. What still comes is read for a moment: a reset would
    /// take the last message away from the peer.
    pub(crate) async fn close_politely(self) -> Parting {
        self.close_within(PARTING).await
    }

    /// The same, and waits so long.
    pub(crate) async fn close_within(mut self, patience: Duration) -> Parting {
        if self.deaf {
            return Parting::Reset;
        }
        let parting = async {
            if self.say_last().await.is_err() {
                return Parting::Reset;
            }
            let mut left = PARTING_OCTETS;
            while left > 0 {
                let mut octets = [0; READ_OCTETS];
                match self.stream.read(&mut octets).await {
                    Ok(0) => return Parting::Closed,
                    Ok(count) => left = left.saturating_sub(count),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return Parting::Reset,
                }
            }
            Parting::Open
        };
        timeout(patience, parting).await.unwrap_or(Parting::Open)
    }

    /// Sends what is left to say, and closes: nothing more is expected of the peer.
    pub(crate) async fn close(mut self) {
        // A peer that takes it no more has closed before.
        let _said = timeout(PARTING, self.say_last()).await;
    }

    /// Sends what is left to say, and that it was the last.
    async fn say_last(&mut self) -> io::Result<()> {
        while let Some(octets) = self.engine.poll_output() {
            let count = self.stream.write(octets).await?;
            self.engine.handle_written(clock::mono(), count);
        }
        self.stream.shutdown().await
    }

    /// Writes what the engine has to say, message by message.
    fn write(&mut self, now: Mono) {
        self.blocked = false;
        while !self.deaf
            && let Some(octets) = self.engine.poll_output()
        {
            match self.stream.try_write(octets) {
                Ok(count) => self.engine.handle_written(now, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What the peer said before is still to be read.
                Err(_) => self.deaf = true,
            }
        }
    }

    /// Offers what was read, and reads more once all is taken. Whether anything came of it.
    fn read(&mut self, now: Mono) -> bool {
        if self.deaf && self.input != Input::Told && !self.engine.wants_input() {
            // It waits to be rid of an answer, and never will be.
            self.unread = Vec::new();
            self.input = Input::Ended;
        }
        if !self.unread.is_empty() {
            let taken = self.engine.handle_input(now, &self.unread);
            self.unread.drain(..taken);
            if self.unread.is_empty() {
                self.unread = Vec::new();
            }
            return taken > 0;
        }
        match self.input {
            Input::Told => false,
            Input::Ended => {
                self.input = Input::Told;
                self.engine.handle_eof(now);
                true
            }
            Input::Open if !self.engine.wants_input() => false,
            Input::Open => {
                let mut octets = [0; READ_OCTETS];
                let Some(count) = self.receive(&mut octets) else {
                    return false;
                };
                let octets = octets.get(..count).unwrap_or_default();
                let taken = self.engine.handle_input(now, octets);
                self.unread = octets.get(taken..).unwrap_or_default().to_vec();
                true
            }
        }
    }

    /// Octets that the connection has now; `Some(0)`: the peer sends no more.
    fn receive(&mut self, octets: &mut [u8]) -> Option<usize> {
        match self.stream.try_read(octets) {
            Ok(count @ 1..) => Some(count),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                None
            }
            Ok(0) | Err(_) => {
                self.input = Input::Ended;
                Some(0)
            }
        }
    }

    /// Until the connection may have something for [`Self::read`] or [`Self::write`].
    async fn ready(&mut self) {
        let listens =
            self.input == Input::Open && self.unread.is_empty() && self.engine.wants_input();
        let interest = match (listens, self.blocked) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            // Only the engine's own time or its driver's word changes anything.
            (false, false) => return pending().await,
        };
        if self.stream.ready(interest).await.is_err() {
            self.deaf = true;
            if self.input == Input::Open {
                self.input = Input::Ended;
            }
        }
    }
}

#[cfg(test)]
mod tests;
