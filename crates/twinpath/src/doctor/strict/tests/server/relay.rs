//! What stands between a client and the engine of a secured connection, and knows its keys: it makes a server of wrong
//! habits out of the engine.

use twinpath_proto::security::{ControlChains, SessionKeys};

use super::{COUNT, SALT, key};

/// Its habits.
#[derive(Clone, Copy)]
pub(super) struct RelayErrs {
    pub(super) down: fn(&Down<'_>) -> Forward,
    /// After this message of the client, changes one of the server before its HMAC is made, and after.
    pub(super) up: fn(&[u8], &mut Vec<u8>),
    pub(super) up_sealed: fn(&mut [u8]),
}

impl Default for RelayErrs {
    fn default() -> Self {
        Self {
            down: |down| down.as_it_is(),
            up: |_, _| {},
            up_sealed: |_| {},
        }
    }
}

/// A message of the client.
pub(super) struct Down<'a> {
    /// As it came.
    pub(super) octets: &'a [u8],
    /// Decrypted.
    pub(super) opened: &'a [u8],
    /// Its HMAC is right.
    pub(super) is_right: bool,
    /// Messages before, as they came and decrypted.
    pub(super) earlier: &'a [(Vec<u8>, Vec<u8>)],
}

/// What the engine gets.
pub(super) enum Forward {
    /// This, with a right HMAC.
    Right(Vec<u8>),
    /// What it does not verify.
    Wrong,
    Nothing,
}

impl Down<'_> {
    pub(super) fn as_it_is(&self) -> Forward {
        if self.is_right {
            Forward::Right(self.opened.to_vec())
        } else {
            Forward::Wrong
        }
    }

    /// Takes it for right where `is_taken` says so.
    pub(super) fn taken(&self, is_taken: fn(&[u8]) -> bool) -> Forward {
        if !self.is_right && is_taken(self.opened) {
            return Forward::Right(self.opened.to_vec());
        }
        self.as_it_is()
    }
}

pub(super) struct Relay {
    errs: RelayErrs,
    down: ControlChains,
    up: ControlChains,
    messages: Vec<(Vec<u8>, Vec<u8>)>,
    has_started: bool,
}

/// The server's IV and Challenge in these tests.
const SERVER: [u8; 16] = [0; 16];

impl Relay {
    /// After a Set-Up-Response; `None`: it has no right Token.
    pub(super) fn after(octets: &[u8], errs: RelayErrs) -> Option<Self> {
        let token = octets.get(84..148)?.first_chunk()?;
        let client_iv = octets.get(148..164)?.first_chunk()?;
        let key = key().passphrase.derive(&SALT, COUNT);
        let keys = SessionKeys::from_token(&key, &SERVER, token)?;
        Some(Self {
            errs,
            down: ControlChains::new(&keys, client_iv, client_iv),
            up: ControlChains::new(&keys, &SERVER, &SERVER),
            messages: Vec::new(),
            has_started: false,
        })
    }

    pub(super) fn down(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut opened = octets.to_vec();
        let is_right = self.down.open(&mut opened);
        let forward = (self.errs.down)(&Down {
            octets,
            opened: &opened,
            is_right,
            earlier: &self.messages,
        });
        self.messages.push((octets.to_vec(), opened.clone()));
        match forward {
            Forward::Right(mut message) => {
                self.down.seal(&mut message, |_| {});
                message
            }
            Forward::Wrong => {
                self.down.seal(&mut opened, |message| {
                    if let Some(last) = message.last_mut() {
                        *last ^= 1;
                    }
                });
                opened
            }
            Forward::Nothing => Vec::new(),
        }
    }

    pub(super) fn up(&mut self, message: &mut Vec<u8>) {
        if !self.has_started {
            self.has_started = true;
            self.up.open_uncovered(&mut message[32..]);
            self.up.seal_uncovered(&mut message[32..]);
            return;
        }
        assert!(self.up.open(message), "the engine's HMAC is right");
        let last = self.messages.last().map_or(&[][..], |(_, opened)| opened);
        (self.errs.up)(last, message);
        self.up.seal(message, self.errs.up_sealed);
    }
}
