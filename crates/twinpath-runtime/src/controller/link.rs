//! The driver of a Control-Client's engine: octets between it and its TCP connection, in the round
//! that `twinpath_proto::control` describes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use twinpath_net::clock;
use twinpath_proto::control::{ClientEvent, ControlClient};
use twinpath_wire::Mono;
use twinpath_wire::control::ServerGreeting;

/// Octets read at once. A Server has little to say.
const READ_OCTETS: usize = 4_096;
/// How long a wait may be that nothing bounds.
const LONG: Duration = Duration::from_hours(1);
/// How long the Server may take to close its side when all is said.
const PARTING: Duration = Duration::from_secs(1);
/// So many octets of plain text are no greeting: it begins with 12 that are unused.
const UNUSED_OCTETS: usize = 12;
/// So much of what another service says is shown.
const SHOWN_OCTETS: usize = 48;

/// What a Server says first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// What may be a Server Greeting, or what the engine can say more about.
    Greeting,
    /// Nothing.
    Nothing,
    /// Something else, as plain characters.
    Other(String),
}

/// An engine and its connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    pub(super) client: ControlClient,
    /// Read and not taken by the engine.
    unread: Vec<u8>,
    /// The Server will send no more.
    ended: bool,
    /// The engine knows that.
    told: bool,
    /// The Server takes no more.
    deaf: bool,
}

impl Link {
    pub(super) fn new(stream: TcpStream, client: ControlClient) -> Self {
        Self {
            stream,
            client,
            unread: Vec::new(),
            ended: false,
            told: false,
            deaf: false,
        }
    }

    /// Waits for the Server Greeting, whole; the engine gets it afterwards.
    pub(super) async fn first(&mut self, patience: Duration) -> First {
        let whole = async {
            while self.unread.len() < ServerGreeting::OCTETS && !self.ended {
                let begin = self.unread.get(..UNUSED_OCTETS).unwrap_or_default();
                if is_text(begin) {
                    return;
                }
                if self.stream.readable().await.is_err() {
                    self.ended = true;
                }
                self.read();
            }
        };
        let late = timeout(patience, whole).await.is_err();
        let begin = self.unread.get(..UNUSED_OCTETS).unwrap_or(&self.unread);
        if is_text(begin) || (late && !self.unread.is_empty()) {
            let shown = self.unread.get(..SHOWN_OCTETS).unwrap_or(&self.unread);
            let mut lines = shown.split(|octet| matches!(octet, b'\r' | b'\n'));
            let line = lines.find(|line| !line.is_empty());
            return First::Other(line.unwrap_or_default().escape_ascii().to_string());
        }
        if late {
            First::Nothing
        } else {
            First::Greeting
        }
    }

    /// The next event. Nothing is lost where this is given up half-way.
    pub(super) async fn event(&mut self) -> ClientEvent {
        loop {
            let now = clock::mono();
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            let blocked = self.write(now);
            let taken = self.client.handle_input(now, &self.unread);
            self.unread.drain(..taken);
            if taken > 0 {
                continue;
            }
            if self.ended && !self.told {
                self.told = true;
                self.client.handle_eof(now);
                continue;
            }
            let due = self.client.poll_timeout();
            if due.is_some_and(|due| due <= now) {
                self.client.handle_timeout(now);
                continue;
            }
            self.wait(blocked, due.map_or(LONG, |due| due.since(now)))
                .await;
        }
    }

    /// Sends what is left to say, and closes: the last answer of the Server is read, so that no
    /// reset takes the last message away from it.
    pub(super) async fn part(mut self) {
        let parting = async {
            while let Some(octets) = self.client.poll_output() {
                let Ok(count) = self.stream.write(octets).await else {
                    return;
                };
                self.client.handle_written(clock::mono(), count);
            }
            let mut rest = [0; 256];
            if self.stream.shutdown().await.is_ok() {
                while matches!(self.stream.read(&mut rest).await, Ok(1..)) {}
            }
        };
        // Longer than this nobody is waited for.
        let _ = timeout(PARTING, parting).await;
    }

    /// Whether output is left that the connection does not take now.
    fn write(&mut self, now: Mono) -> bool {
        while !self.deaf
            && let Some(octets) = self.client.poll_output()
        {
            match self.stream.try_write(octets) {
                Ok(count) => self.client.handle_written(now, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What the Server said before is still to be read.
                Err(_) => self.deaf = true,
            }
        }
        false
    }

    fn read(&mut self) {
        let mut octets = [0; READ_OCTETS];
        match self.stream.try_read(&mut octets) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                let octets = octets.get(..count).unwrap_or_default();
                self.unread.extend_from_slice(octets);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.ended = true,
        }
    }

    async fn wait(&mut self, blocked: bool, patience: Duration) {
        let listens = !self.ended && self.unread.is_empty();
        let interest = match (listens, blocked) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return sleep(patience).await,
        };
        match timeout(patience, self.stream.ready(interest)).await {
            Ok(Ok(_)) if listens => self.read(),
            Ok(Err(_)) => self.ended = true,
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

/// All of it is what people read, and there is some of it.
fn is_text(octets: &[u8]) -> bool {
    let plain = |octet: &u8| matches!(octet, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    !octets.is_empty() && octets.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_no_text_and_a_banner_is() {
        assert!(is_text(b"SSH-2.0-OpenSSH_9.2p1\r\n"));
        assert!(!is_text(&[0; 12]));
        assert!(!is_text(b""));
        assert!(!is_text(b"text\0and more"));
    }
}
