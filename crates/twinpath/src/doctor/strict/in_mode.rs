//! Trials by control connections in one mode, with the user's key (RFC 4656 sections 3.1 to 3.4 and 6.10, RFC 5618).

use twinpath_proto::TestGuard;
use twinpath_proto::security::{ControlChains, Credentials, Passphrase, SessionKeys};
use twinpath_wire::control::{SecurityMode, ServerGreeting, ServerStart, SetUpResponse, Sid};

use super::control::messages;
use super::dialogues::{Led, Opening};
use super::exchange::{OPEN_PADDING, SECURED_PADDING};
use super::form::put;
use super::steps::{Cipher, Open, Step, Transcript, named};
use super::{Keys, Link, Outcome};

/// Where fields of a Set-Up-Response are.
const KEY_ID: usize = 4;
pub(super) const TOKEN: usize = 84;
const CLIENT_IV: usize = 148;

/// What is written and read on a connection in a mode, and its judge.
#[derive(Debug)]
pub(crate) struct InMode {
    pub(super) mode: SecurityMode,
    /// What is odd about the set-up.
    pub(super) set_up: fn(&mut Draft),
    /// After a Server-Start that accepts.
    pub(super) steps: &'static [Step],
    /// What was read says.
    pub(super) judge: fn(&Transcript) -> Outcome,
}

/// A Set-Up-Response before it is made.
pub(super) struct Draft {
    /// Modes that the server offers.
    pub(super) offered: u32,
    pub(super) mode: u32,
    pub(super) key_id: [u8; 80],
    pub(super) passphrase: Passphrase,
    /// In the token.
    pub(super) challenge: [u8; 16],
    /// Changes the message.
    pub(super) change: fn(&mut Vec<u8>),
}

impl Led for InMode {
    fn opening(
        &self,
        greeting: &ServerGreeting,
        keys: &Keys,
        link: &mut dyn Link,
    ) -> Result<Opening, &'static str> {
        opening(self.mode, self.set_up, greeting, keys, link)
    }

    fn ordinary(
        &self,
        greeting: &ServerGreeting,
        keys: &Keys,
        link: &mut dyn Link,
    ) -> Result<Opening, &'static str> {
        opening(self.mode, |_| {}, greeting, keys, link)
    }

    fn needs(&self, ordinary: &Transcript) -> Option<String> {
        match ordinary.start_accept() {
            Some(0) => None,
            Some(accept) => Some(format!(
                "the server does not let this key in: Accept {}",
                named(accept)
            )),
            None => Some("the server does not let this key in: no Server-Start".to_owned()),
        }
    }

    fn steps(&self) -> &'static [Step] {
        self.steps
    }

    fn judge(&self, seen: &Transcript) -> Outcome {
        (self.judge)(seen)
    }
}

fn opening(
    mode: SecurityMode,
    change: fn(&mut Draft),
    greeting: &ServerGreeting,
    keys: &Keys,
    link: &mut dyn Link,
) -> Result<Opening, &'static str> {
    let bit = mode.modes().bits();
    let offered = greeting.modes.get();
    if mode == SecurityMode::Unauthenticated {
        return if offered & bit == 0 {
            Err("the server does not offer this mode")
        } else {
            Ok(Opening {
                message: messages::set_up(bit),
                padding: OPEN_PADDING,
                cipher: Box::new(|_| Box::new(Open)),
            })
        };
    }
    let Some(key) = &keys.control else {
        return Err("no key is given (--keys)");
    };
    if offered & bit == 0 {
        return Err("the server does not offer this mode");
    }
    if greeting.count.get() > keys.most_pbkdf2_count {
        return Err("the server's PBKDF2 Count is above --max-pbkdf2-count");
    }
    let Some(credentials) = link.credentials(key) else {
        return Err("the system has no random octets");
    };
    let mut draft = Draft {
        offered,
        mode: bit,
        key_id: *credentials.key_id.field(),
        passphrase: credentials.passphrase.clone(),
        challenge: greeting.challenge,
        change: |_| {},
    };
    change(&mut draft);
    let message = draft.message(greeting, &credentials);
    let padding = if mode.secures_packets() {
        SECURED_PADDING
    } else {
        OPEN_PADDING
    };
    Ok(Opening {
        message,
        padding,
        cipher: Box::new(move |start| Box::new(Secured::new(mode, &credentials, start))),
    })
}

impl Draft {
    fn message(&self, greeting: &ServerGreeting, credentials: &Credentials) -> Vec<u8> {
        let key = self.passphrase.derive(&greeting.salt, greeting.count.get());
        let token = credentials.session.to_token(&key, &self.challenge);
        let mut message = vec![0; SetUpResponse::OCTETS];
        put(&mut message, 0, &self.mode.to_be_bytes());
        put(&mut message, KEY_ID, &self.key_id);
        put(&mut message, TOKEN, &token);
        put(&mut message, CLIENT_IV, &credentials.client_iv);
        (self.change)(&mut message);
        message
    }
}

/// A secured mode.
struct Secured {
    mode: SecurityMode,
    keys: SessionKeys,
    chains: ControlChains,
}

impl Secured {
    /// After this Server-Start, whose last block is opened.
    fn new(mode: SecurityMode, credentials: &Credentials, start: &mut [u8]) -> Self {
        let server_iv = ServerStart::view(start).map_or([0; 16], |start| start.server_iv);
        let keys = credentials.session.clone();
        let mut chains = ControlChains::new(&keys, &credentials.client_iv, &server_iv);
        if let Some(last) = start.get_mut(ServerStart::CLEAR..) {
            chains.open_uncovered(last);
        }
        Self { mode, keys, chains }
    }
}

impl Cipher for Secured {
    fn seal(&mut self, message: &mut [u8], change: fn(&mut [u8])) {
        self.chains.seal(message, change);
    }

    fn open(&mut self, message: &mut [u8]) -> bool {
        self.chains.open(message)
    }

    fn guard(&self, sid: [u8; 16]) -> TestGuard {
        self.guard_in(self.mode, sid)
    }

    fn guard_in(&self, mode: SecurityMode, sid: [u8; 16]) -> TestGuard {
        TestGuard::with_keys(mode.modes(), &self.keys, Sid(sid))
    }
}
