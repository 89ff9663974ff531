//! Octets between a Server's engine and its TCP connection, in the round that
//! `twinpath_proto::control` describes. Input that the engine does not take is not read on: a
//! connection holds at most one read's worth of it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;
use twinpath_proto::control::Server;
use twinpath_wire::Mono;

/// Octets read at once.
const READ_OCTETS: usize = 2_048;
/// How long the client may take to close its side when all is said.
const PARTING: Duration = Duration::from_secs(1);
/// Octets of a client's that are read for that, and thrown away.
const PARTING_OCTETS: usize = 1 << 16;

/// A connection and what is between it and its engine.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    /// Read and not taken by the engine.
    unread: Vec<u8>,
    input: Input,
    /// Output waits for the connection to take more.
    blocked: bool,
    broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// The client sends no more.
    Ended,
    /// The engine knows that.
    Told,
}

impl Link {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            input: Input::Open,
            blocked: false,
            broken: false,
        }
    }

    /// Nothing can be said to the client any more, and the engine knows that.
    pub(super) fn is_over(&self) -> bool {
        self.broken && self.input == Input::Told
    }

    /// Writes what the engine has to say, message by message.
    pub(super) fn write(&mut self, server: &mut Server, now: Mono) {
        self.blocked = false;
        while !self.broken
            && let Some(octets) = server.poll_output()
        {
            match self.stream.try_write(octets) {
                Ok(count) => server.handle_written(now, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.fail(),
            }
        }
    }

    /// Offers what was read, and reads more once all is taken. Whether anything came of it.
    pub(super) fn read(&mut self, server: &mut Server, now: Mono) -> bool {
        if !self.unread.is_empty() {
            let taken = server.handle_input(now, &self.unread);
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
                server.handle_eof(now);
                true
            }
            Input::Open if !server.wants_input() => false,
            Input::Open => {
                let mut octets = [0; READ_OCTETS];
                match self.stream.try_read(&mut octets) {
                    Ok(0) => self.input = Input::Ended,
                    Ok(count) => {
                        let octets = octets.get(..count).unwrap_or_default();
                        let taken = server.handle_input(now, octets);
                        self.unread = octets.get(taken..).unwrap_or_default().to_vec();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => self.fail(),
                }
                true
            }
        }
    }

    /// Until the connection may have something for [`Link::read`] or [`Link::write`].
    pub(super) async fn ready(&mut self, server: &Server) {
        let listens = self.input == Input::Open && self.unread.is_empty() && server.wants_input();
        let interest = match (listens, self.blocked) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            // Only the engine's own time or a word from elsewhere changes anything.
            (false, false) => return std::future::pending().await,
        };
        if self.stream.ready(interest).await.is_err() {
            self.fail();
        }
    }

    /// Closes. What still comes is read for a moment: a reset would take the last answer away from
    /// the client.
    pub(super) async fn part(mut self) {
        if self.broken {
            return;
        }
        let parting = async {
            if self.stream.shutdown().await.is_err() {
                return;
            }
            let mut left = PARTING_OCTETS;
            while left > 0 && self.stream.readable().await.is_ok() {
                let mut octets = [0; READ_OCTETS];
                match self.stream.try_read(&mut octets) {
                    Ok(0) => return,
                    Ok(count) => left = left.saturating_sub(count),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        // Longer than this nobody is waited for.
        let _in_time = timeout(PARTING, parting).await;
    }

    fn fail(&mut self) {
        self.broken = true;
        self.unread = Vec::new();
        if self.input == Input::Open {
            self.input = Input::Ended;
        }
    }
}
