//! Messages in a stream of octets (RFC 6242 section 4): `]]>]]>` after each, or chunks.

/// Octets of a message, at most, unless said otherwise.
pub const MAX_MESSAGE: usize = 16 << 20;

/// What is after each message in the older form.
const END: &[u8] = b"]]>]]>";
/// Chunks are no longer than this (RFC 6242 section 4.2).
const MAX_CHUNK: u64 = 4_294_967_295;

/// How messages are separated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// `]]>]]>` after each message (RFC 6242 section 4.3): for all of base version 1.0, and for each `hello`.
    #[default]
    EndOfMessage,
    /// Chunks with their length (RFC 6242 section 4.2).
    Chunked,
}

/// Why a stream cannot be read further; the session ends (RFC 6242 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A message is too long.
    #[error("a message of more than {max} octets")]
    TooLarge {
        /// Octets that are allowed.
        max: usize,
    },
    /// A chunk does not begin as it must.
    #[error("not a chunk: expected {expected}")]
    NotAChunk {
        /// What should come here.
        expected: &'static str,
    },
    /// A length that no chunk can have.
    #[error("a chunk with a length that is not from 1 to 4294967295")]
    ChunkLength,
}

/// Makes messages of octets that come in pieces.
#[derive(Clone, Debug)]
pub struct Decoder {
    max: usize,
    state: State,
    message: Vec<u8>,
}

/// Where the decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a message that ends with `]]>]]>`.
    Text,
    /// Before the line feed of a chunk or of the end.
    LineFeed,
    /// Before `#`.
    Hash,
    /// Before the first digit, or the second `#` of the end.
    Begin,
    /// In a length.
    Length(u64),
    /// Before the last line feed of the end.
    End,
    /// In a chunk, of which so many octets are left.
    Chunk(u64),
    /// After an error.
    Failed(FramingError),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(MAX_MESSAGE)
    }
}

impl Decoder {
    /// Reads messages that end with `]]>]]>`, at most `max` octets long each.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            state: State::Text,
            message: Vec::new(),
        }
    }

    /// How the next message is separated; to be called between two messages.
    pub fn set_framing(&mut self, framing: Framing) {
        self.message.clear();
        self.state = match framing {
            Framing::EndOfMessage => State::Text,
            Framing::Chunked => State::LineFeed,
        };
    }

    /// Whether a message has begun.
    pub fn is_within_message(&self) -> bool {
        !self.message.is_empty() || !matches!(self.state, State::Text | State::LineFeed)
    }

    /// The next message, without what separates it. Takes no more octets than that message needs; `None`: all were taken,
    /// and more are needed.
    ///
    /// # Errors
    ///
    /// The octets are not messages, or one is too long. It is the same from then on.
    pub fn next(&mut self, octets: &mut &[u8]) -> Result<Option<Vec<u8>>, FramingError> {
        while let Some((first, rest)) = octets.split_first() {
            if let State::Chunk(left) = self.state {
                *octets = self.take(octets, left);
                continue;
            }
            *octets = rest;
            let is_complete = self.step(*first).inspect_err(|error| {
                self.state = State::Failed(*error);
                self.message = Vec::new();
            })?;
            if is_complete {
                return Ok(Some(std::mem::take(&mut self.message)));
            }
        }
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        Ok(None)
    }

    /// Takes octets of a chunk; returns the others.
    fn take<'o>(&mut self, octets: &'o [u8], left: u64) -> &'o [u8] {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let (taken, rest) = octets.split_at_checked(wanted).unwrap_or((octets, &[]));
        self.message.extend_from_slice(taken);
        let left = left.saturating_sub(u64::try_from(taken.len()).unwrap_or(left));
        self.state = if left == 0 {
            State::LineFeed
        } else {
            State::Chunk(left)
        };
        rest
    }

    /// Takes one octet; whether a message is complete.
    fn step(&mut self, octet: u8) -> Result<bool, FramingError> {
        let expected = |expected| Err(FramingError::NotAChunk { expected });
        self.state = match (self.state, octet) {
            (State::Failed(error), _) => return Err(error),
            (State::Text, octet) => return self.text(octet),
            (State::LineFeed, b'\n') => State::Hash,
            (State::End, b'\n') => {
                self.state = State::LineFeed;
                return Ok(true);
            }
            (State::LineFeed | State::End, _) => return expected("a line feed"),
            (State::Hash, b'#') => State::Begin,
            (State::Hash, _) => return expected("#"),
            (State::Begin, b'#') if self.message.is_empty() => {
                return expected("a chunk before the end");
            }
            (State::Begin, b'#') => State::End,
            (State::Begin, b'1'..=b'9') => State::Length(u64::from(octet - b'0')),
            (State::Begin, b'0') => return Err(FramingError::ChunkLength),
            (State::Begin, _) => return expected("a length or #"),
            (State::Length(length), b'0'..=b'9') => {
                let length = length * 10 + u64::from(octet - b'0');
                if length > MAX_CHUNK {
                    return Err(FramingError::ChunkLength);
                }
                State::Length(length)
            }
            (State::Length(length), b'\n') => self.begin_chunk(length)?,
            (State::Length(_), _) => return expected("a digit or a line feed"),
            (State::Chunk(_), _) => return Ok(false),
        };
        Ok(false)
    }

    fn begin_chunk(&self, length: u64) -> Result<State, FramingError> {
        let left = u64::try_from(self.max.saturating_sub(self.message.len())).unwrap_or(u64::MAX);
        if length > left {
            return Err(FramingError::TooLarge { max: self.max });
        }
        Ok(State::Chunk(length))
    }

    fn text(&mut self, octet: u8) -> Result<bool, FramingError> {
        // Line feeds between messages are allowed, but not before an XML declaration.
        if self.message.is_empty() && octet.is_ascii_whitespace() {
            return Ok(false);
        }
        self.message.push(octet);
        if octet == b'>' && self.message.ends_with(END) {
            self.message.truncate(self.message.len() - END.len());
            return Ok(true);
        }
        if self.message.len() >= self.max.saturating_add(END.len()) {
            return Err(FramingError::TooLarge { max: self.max });
        }
        Ok(false)
    }
}

/// A message with what separates it from the next one. It is not empty, and with [`Framing::EndOfMessage`] it has no
/// `]]>]]>`, as XML by [`crate::xml::escape`] does not.
pub fn encode(framing: Framing, message: &str) -> Vec<u8> {
    match framing {
        Framing::EndOfMessage => [message.as_bytes(), END].concat(),
        Framing::Chunked => {
            let mut encoded = Vec::with_capacity(message.len() + 24);
            let longest = usize::try_from(MAX_CHUNK).unwrap_or(usize::MAX);
            for chunk in message.as_bytes().chunks(longest) {
                encoded.extend_from_slice(format!("\n#{}\n", chunk.len()).as_bytes());
                encoded.extend_from_slice(chunk);
            }
            encoded.extend_from_slice(b"\n##\n");
            encoded
        }
    }
}
