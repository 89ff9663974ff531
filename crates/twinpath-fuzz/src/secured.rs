//! Control connections in the secured modes, with a peer that knows the key: what it says is sealed,
//! so that the engines get to read it. Now and then an HMAC is wrong, and then nothing of the message
//! may be obeyed.

use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::control::{
    Admission, ClientEvent, ClientPlan, Nonces, Server, ServerConfig, ServerEvent, SessionPlan,
};
use twinpath_proto::security::{
    Credentials, DerivedKey, InForce, KeyId, KeyTable, Passphrase, SessionKeys,
};
use twinpath_wire::control::{Modes, SecurityMode};

use crate::control::{CLIENT, NOW, SERVER, Said, drive_client, drive_server, ends_balance};
use crate::input::Input;
use crate::peer::{AES, Chain, HMAC, TAG, token};

const NAME: &str = "alice";
const SECRET: &[u8] = b"secret";
const KEY: [u8; 16] = [0x4b; 16];
const SALT: [u8; 16] = [0x5a; 16];
const COUNT: u32 = 1_024;
const CHALLENGE: [u8; 16] = [0xc4; 16];
const CLIENT_IV: [u8; 16] = [0x33; 16];
const SERVER_IV: [u8; 16] = [0x44; 16];
/// Sessions that one message may be about.
const MOST_SIDS: usize = 40;
/// Octets that may be offered at once.
const PIECES: [usize; 4] = [usize::MAX, 1, 15, 100];

/// Octet 0: security mode, strictness, pieces, whether the key is right. Octets 1 to 4: modes beside
/// the security mode. Then for each message an octet that says how it is sent (bit 0: with a wrong
/// HMAC; the rest: after this many units of 16 s) and its plain octets, as many as its command has.
pub(crate) fn server(input: &[u8]) {
    served(input);
}

fn served(input: &[u8]) -> Vec<ServerEvent> {
    let mut input = Input::new(input);
    let flags = input.octet();
    let mode = match flags & 3 {
        0 => Modes::MIXED,
        1 => Modes::AUTHENTICATED,
        _ => Modes::ENCRYPTED,
    };
    let features = Modes::from_bits(input.u32()).without(Modes::SECURITY);
    let key = if flags & 0x80 == 0 { KEY } else { [1; 16] };
    let mut set_up = vec![0; 164];
    set_up[..4].copy_from_slice(&(mode | features).bits().to_be_bytes());
    set_up[4..4 + NAME.len()].copy_from_slice(NAME.as_bytes());
    set_up[84..148].copy_from_slice(&token(key, CHALLENGE));
    set_up[148..].copy_from_slice(&CLIENT_IV);
    let mut chain = Chain::from_iv(CLIENT_IV);
    let mut said = vec![Said {
        octets: set_up,
        after: Duration::ZERO,
        forged: false,
    }];
    while !input.is_empty() {
        said.push(Said::by_client(&mut input, &mut chain));
    }
    let whole = serve(flags, &said, usize::MAX);
    let piece = PIECES[usize::from(flags >> 4 & 3)];
    assert_eq!(
        whole,
        serve(flags, &said, piece),
        "segmentation makes a difference"
    );
    ends_balance(&whole);
    let knows = flags & 0x80 == 0;
    let ready = whole
        .iter()
        .any(|event| matches!(event, ServerEvent::Ready { .. }));
    assert!(knows || !ready, "a wrong key was taken for the right one");
    whole
}

impl Said {
    fn by_client(input: &mut Input<'_>, chain: &mut Chain) -> Self {
        let how = input.octet();
        let command = input.octet();
        let mut message = vec![command];
        let many = |input: &mut Input<'_>, message: &mut Vec<u8>| {
            message.extend_from_slice(input.take(11));
            message.resize(12, 0);
            let sids = u32::from(input.octet()) % 41;
            message.extend(sids.to_be_bytes());
            16 + 16 * usize::try_from(sids).unwrap_or(MOST_SIDS)
        };
        let plain = match command {
            5 => 96,
            7 | 9 => many(input, &mut message),
            _ => 16,
        };
        message.extend_from_slice(input.take(plain - message.len()));
        message.resize(plain + TAG, 0);
        Self::sealed(how, message, chain)
    }

    fn sealed(how: u8, mut message: Vec<u8>, chain: &mut Chain) -> Self {
        let forged = how & 1 == 1;
        chain.seal(&mut message, u8::from(forged));
        Self {
            octets: message,
            after: Duration::from_secs(u64::from(how >> 1) * 16),
            forged,
        }
    }
}

fn serve(flags: u8, said: &[Said], piece: usize) -> Vec<ServerEvent> {
    let mut keys = KeyTable::new(SALT, COUNT, [0x77; 16]);
    let id = KeyId::new(NAME).expect("a Key-ID");
    keys.insert(id, DerivedKey::from_octets(KEY), InForce::begin());
    let config = ServerConfig {
        strict: flags & 4 != 0,
        nat: flags & 8 != 0,
        max_sessions: 6,
        ..ServerConfig::default()
    };
    let nonces = Nonces {
        challenge: CHALLENGE,
        server_iv: SERVER_IV,
    };
    let server = Server::new(
        Arc::new(config),
        Arc::new(keys),
        Admission::Served,
        nonces,
        NOW,
        CLIENT,
        SERVER,
    );
    let driven = drive_server(server, said, piece, |opened| opened % 5 == 4);
    let largest = driven.largest;
    assert!(largest <= 16 * (MOST_SIDS + 4), "{largest} octets at once");
    driven.events
}

/// Octet 0: security mode, sessions asked for. Octet 1: features, pieces. Octets 2 to 5: modes
/// offered beside. Octet 6: Accept of Server-Start. Then for each message an octet that says how it
/// is sent (as for [`server`]), one for its kind (Accept-Session, Start-Ack, or one about several
/// sessions), and its plain octets.
pub(crate) fn client(input: &[u8]) {
    told(input);
}

fn told(input: &[u8]) -> Vec<ClientEvent> {
    let mut input = Input::new(input);
    let flags = input.octet();
    let wanted = input.octet();
    let mode = match flags & 3 {
        0 => SecurityMode::Mixed,
        1 => SecurityMode::Authenticated,
        _ => SecurityMode::Encrypted,
    };
    let plan = ClientPlan {
        security: vec![mode],
        credentials: Some(Credentials {
            key_id: KeyId::new(NAME).expect("a Key-ID"),
            passphrase: Passphrase::new(SECRET.to_vec()),
            session: SessionKeys::new(AES, HMAC),
            client_iv: CLIENT_IV,
        }),
        preferred: Modes::from_bits(u32::from(wanted & 7) << 4),
        preferred_secured: Modes::from_bits(u32::from(wanted & 0x18) << 4),
        strict: flags & 4 != 0,
        sessions: vec![SessionPlan::default(); usize::from(flags >> 4)],
        ..ClientPlan::default()
    };
    let mut greeting = vec![0; 64];
    let modes = Modes::from_bits(input.u32()) | mode.modes();
    greeting[12..16].copy_from_slice(&modes.bits().to_be_bytes());
    greeting[16..32].copy_from_slice(&CHALLENGE);
    greeting[32..48].copy_from_slice(&SALT);
    greeting[48..52].copy_from_slice(&COUNT.to_be_bytes());
    let mut start = vec![0; 48];
    start[15] = input.octet();
    start[16..32].copy_from_slice(&SERVER_IV);
    let mut chain = Chain::from_iv(SERVER_IV);
    chain.encrypt(&mut start[32..]);
    let mut stream = [greeting, start].concat();
    let clear = stream.len();
    let mut forged_at = None;
    while !input.is_empty() {
        let said = Said::by_server(&mut input, &mut chain);
        stream.extend_from_slice(&said.octets);
        if said.forged && forged_at.is_none() {
            forged_at = Some(stream.len());
        }
    }
    let piece = PIECES[usize::from(wanted >> 5 & 3)];
    let whole = drive_client(plan.clone(), &stream, usize::MAX);
    let pieces = drive_client(plan.clone(), &stream, piece);
    assert_eq!(whole, pieces, "segmentation makes a difference");
    let (events, _) = whole;
    let accepted = |events: &[ClientEvent]| {
        let accepted = |event: &&ClientEvent| matches!(event, ClientEvent::Accepted { .. });
        events.iter().filter(accepted).count()
    };
    // What comes from a message with a wrong HMAC on is as if it had never come, but for the end.
    if let Some(forged_at) = forged_at {
        let before = &stream[..forged_at - TAG];
        let (before, _) = drive_client(plan.clone(), before, usize::MAX);
        assert_eq!(accepted(&events), accepted(&before), "believed unverified");
    }
    // Without the key nothing is believed.
    if flags & 8 != 0 && stream.len() > clear {
        stream[clear] ^= 1;
        let (events, _) = drive_client(plan, &stream, usize::MAX);
        assert_eq!(accepted(&events), 0, "believed unverified");
    }
    events
}

impl Said {
    fn by_server(input: &mut Input<'_>, chain: &mut Chain) -> Self {
        let how = input.octet();
        let plain = match input.octet() % 3 {
            0 => 32,
            1 => 16,
            _ => 16 + 16 * usize::from(input.octet()).min(MOST_SIDS),
        };
        let mut message = input.take(plain).to_vec();
        message.resize(plain + TAG, 0);
        Self::sealed(how, message, chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    /// A target that never gets behind the first HMAC checks nothing.
    #[test]
    fn the_inputs_get_behind_the_hmac() {
        let inputs = corpus::of("secured_server");
        let all: Vec<_> = inputs.iter().flat_map(|input| served(input)).collect();
        let count = |which: fn(&ServerEvent) -> bool| all.iter().filter(|it| which(it)).count();
        assert!(count(|event| matches!(event, ServerEvent::Open(_))) >= 20);
        assert!(count(|event| matches!(event, ServerEvent::Start(_))) >= 10);
        assert!(count(|event| matches!(event, ServerEvent::Stop(_))) >= 10);
        let inputs = corpus::of("secured_client");
        let all: Vec<_> = inputs.iter().flat_map(|input| told(input)).collect();
        let count = |which: fn(&ClientEvent) -> bool| all.iter().filter(|it| which(it)).count();
        assert!(count(|event| matches!(event, ClientEvent::Accepted { .. })) >= 10);
        assert!(count(|event| matches!(event, ClientEvent::Started { .. })) >= 4);
    }
}
