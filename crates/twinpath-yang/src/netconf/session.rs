//! The messages of one session, as a server has it.

use super::error::{Layer, RpcError};
use super::framing::{Decoder, FramingError, encode};
use super::hello::{Hello, HelloError, Version};
use super::monitoring::Counts;
use super::reply::Reply;
use super::rpc::{BadMessage, Request};
use crate::schema::Schema;

/// Octets of a `hello`, at most.
const MAX_HELLO: usize = 1 << 20;

/// What a session has received.
#[derive(Debug)]
pub enum Received {
    /// The client's capabilities.
    Hello {
        /// URIs.
        capabilities: Vec<String>,
        /// The version that both sides use from now on.
        version: Version,
    },
    /// A request, to be carried out before the next one is received (RFC 6241 section 4.5).
    Request(Box<Request>),
    /// A message that is not carried out.
    Refused {
        /// What replies to it.
        reply: Reply,
        /// What is wrong, for [`Session::errors`].
        errors: Vec<RpcError>,
    },
    /// The session ends without a reply.
    End(SessionEnd),
}

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnd {
    /// The first message.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The octets.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// A message that cannot be answered.
    #[error("{0}")]
    Message(String),
}

/// The messages of a session.
#[derive(Debug)]
pub struct Session {
    max_message: usize,
    decoder: Decoder,
    hello: Hello,
    /// `None` before the client's `hello`.
    version: Option<Version>,
    is_ended: bool,
    counts: Counts,
}

impl Session {
    /// A session with a number. [`Session::hello`] is to be sent at once. `max_message`: octets of a message, at most; of the
    /// first one 1 MiB.
    pub fn new(session_id: u32, capabilities: Vec<String>, max_message: usize) -> Self {
        Self {
            max_message,
            decoder: Decoder::new(max_message.min(MAX_HELLO)),
            hello: Hello {
                capabilities,
                session_id: Some(session_id),
            },
            version: None,
            is_ended: false,
            counts: Counts::default(),
        }
    }

    /// The server's first message, with what ends it.
    pub fn hello(&self) -> Vec<u8> {
        encode(super::Framing::EndOfMessage, &self.hello.text())
    }

    /// The version of both sides; `None` before the client's `hello`.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The next message among octets, of which it takes no more than that. `None`: more are needed, or the session has ended.
    pub fn receive(&mut self, schema: &Schema, octets: &mut &[u8]) -> Option<Received> {
        if self.is_ended {
            *octets = &[];
            return None;
        }
        let received = match self.decoder.next(octets) {
            Ok(None) => return None,
            Ok(Some(message)) => self.message(schema, &message),
            Err(error) => Received::End(error.into()),
        };
        self.is_ended = matches!(received, Received::End(_));
        Some(received)
    }

    fn message(&mut self, schema: &Schema, message: &[u8]) -> Received {
        let Some(version) = self.version else {
            return self
                .begin(message)
                .unwrap_or_else(|error| Received::End(error.into()));
        };
        let (is_rpc, received) = match Request::parse(schema, message, version) {
            Ok(request) => (true, Received::Request(Box::new(request))),
            Err(BadMessage::Answered { reply, errors }) => {
                let is_rpc = errors.iter().all(|error| error.layer != Layer::Rpc);
                (is_rpc, Received::Refused { reply, errors })
            }
            Err(BadMessage::Ended { what }) => (false, Received::End(SessionEnd::Message(what))),
        };
        let counter = if is_rpc {
            &mut self.counts.in_rpcs
        } else {
            &mut self.counts.in_bad_rpcs
        };
        *counter = counter.wrapping_add(1);
        received
    }

    fn begin(&mut self, message: &[u8]) -> Result<Received, HelloError> {
        let hello = Hello::of_client(message)?;
        let version = self.hello.version(&hello)?;
        self.version = Some(version);
        self.decoder = Decoder::new(self.max_message);
        self.decoder.set_framing(version.framing());
        Ok(Received::Hello {
            capabilities: hello.capabilities,
            version,
        })
    }

    /// That nothing more is received, as after `close-session`.
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// A reply as octets.
    pub fn reply(&self, text: &str) -> Vec<u8> {
        let version = self.version.unwrap_or(Version::V1_0);
        encode(version.framing(), text)
    }

    /// A reply with errors as octets.
    pub fn errors(&mut self, schema: &Schema, reply: &Reply, errors: &[RpcError]) -> Vec<u8> {
        self.counts.out_rpc_errors = self.counts.out_rpc_errors.wrapping_add(1);
        self.reply(&reply.errors(schema, errors))
    }

    /// A notification as octets.
    pub fn notification(&mut self, text: &str) -> Vec<u8> {
        self.counts.out_notifications = self.counts.out_notifications.wrapping_add(1);
        self.reply(text)
    }
}
