//! Any octets as one side of an open control connection; what the other side makes of them is
//! checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::control::{
    Admission, ClientEvent, ClientPlan, ControlClient, Nonces, Opened, Server, ServerConfig,
    ServerEvent, SessionPlan,
};
use twinpath_proto::security::KeyTable;
use twinpath_wire::Mono;
use twinpath_wire::control::{Accept, Modes, Sid};

pub(crate) const NOW: Mono = Mono::from_ns(1_000_000_000);
pub(crate) const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);
pub(crate) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 862);
/// No message that a Server answers is shorter.
const LEAST_COMMAND: usize = 16;
const LARGEST_ANSWER: usize = 64;

/// Octet 0: strictness, and which requests the driver refuses. Octet 1: size of the pieces that the
/// rest comes in, which is all that a client says.
///
/// # Panics
/// When segmentation makes a difference, output has no bound, or a session is not ended once.
pub(crate) fn server(input: &[u8]) {
    let [flags, piece, stream @ ..] = input else {
        return;
    };
    let whole = serve(*flags, stream, stream.len().max(1));
    let pieces = serve(*flags, stream, usize::from(*piece).max(1));
    assert_eq!(whole, pieces, "segmentation makes a difference");
    let (events, output) = whole;
    let most = 2 * LARGEST_ANSWER + LARGEST_ANSWER * (stream.len() / LEAST_COMMAND + 1);
    assert!(output.len() <= most, "{} octets of output", output.len());
    ends_balance(&events);
}

/// Every session that was started is stopped, every other one removed, once; the connection ends
/// once.
pub(crate) fn ends_balance(events: &[ServerEvent]) {
    let count = |wanted: ServerEvent| events.iter().filter(|event| **event == wanted).count();
    for opened in 0..=u8::MAX {
        let sid = Sid([opened; 16]);
        let (started, stopped) = (
            count(ServerEvent::Start(sid)),
            count(ServerEvent::Stop(sid)),
        );
        assert!(started <= 1 && started == stopped, "session {opened}");
        assert!(count(ServerEvent::Remove(sid)) + started <= 1);
    }
    let closed = |event: &&ServerEvent| matches!(event, ServerEvent::Closed(_));
    assert_eq!(events.iter().filter(closed).count(), 1);
}

fn serve(flags: u8, stream: &[u8], piece: usize) -> (Vec<ServerEvent>, Vec<u8>) {
    let config = ServerConfig {
        strict: flags & 1 == 1,
        max_sessions: 6,
        ..ServerConfig::default()
    };
    let server = Server::new(
        Arc::new(config),
        Arc::new(KeyTable::new([0; 16], 1024, [0; 16])),
        Admission::Served,
        Nonces::default(),
        NOW,
        CLIENT,
        SERVER,
    );
    let said = Said {
        octets: stream.to_vec(),
        after: Duration::ZERO,
        forged: false,
    };
    let driven = drive_server(server, &[said], piece, |opened| {
        flags & 2 << (opened % 4) != 0
    });
    (driven.events, driven.output)
}

/// A message that a peer sends, or a stream of them.
pub(crate) struct Said {
    pub(crate) octets: Vec<u8>,
    /// After so long a silence.
    pub(crate) after: Duration,
    /// Its HMAC is wrong: nothing of it may be obeyed.
    pub(crate) forged: bool,
}

/// What came of it.
pub(crate) struct Driven {
    pub(crate) events: Vec<ServerEvent>,
    pub(crate) output: Vec<u8>,
    /// The most octets of output at once.
    pub(crate) largest: usize,
}

/// Feeds a Server with what a client says, in pieces. SIDs count from 1; `refuses` says which of the
/// sessions asked for are refused.
pub(crate) fn drive_server(
    mut server: Server,
    said: &[Said],
    piece: usize,
    refuses: impl Fn(u8) -> bool,
) -> Driven {
    let mut driven = Driven {
        events: Vec::new(),
        output: Vec::new(),
        largest: 0,
    };
    let mut now = NOW;
    let mut opened = 0_u8;
    let mut round = |server: &mut Server, now: Mono, driven: &mut Driven| {
        while let Some(event) = server.poll_event() {
            if let ServerEvent::Open(request) = event {
                opened = opened.saturating_add(1);
                let answer = if opened == u8::MAX || refuses(opened) {
                    Err(Accept::TemporaryLimit)
                } else {
                    Ok(Opened {
                        sid: Sid([opened; 16]),
                        port: request.receiver_port,
                        server_octets: 0,
                    })
                };
                server.answer_open(now, answer);
            }
            driven.events.push(event);
        }
        while let Some(octets) = server.poll_output() {
            driven.output.extend_from_slice(octets);
            let written = octets.len();
            driven.largest = driven.largest.max(written);
            server.handle_written(now, written);
        }
    };
    round(&mut server, now, &mut driven);
    for message in said {
        now += message.after;
        if server.poll_timeout().is_some_and(|due| due <= now) {
            server.handle_timeout(now);
            round(&mut server, now, &mut driven);
        }
        let before = driven.events.len();
        for mut rest in message
            .octets
            .chunks(piece.min(message.octets.len().max(1)))
        {
            while !rest.is_empty() {
                let taken = server.handle_input(now, rest);
                assert!(taken > 0, "nothing waits, and nothing is taken");
                rest = &rest[taken..];
                round(&mut server, now, &mut driven);
            }
        }
        if message.forged {
            let obeyed =
                |event: &ServerEvent| matches!(event, ServerEvent::Open(_) | ServerEvent::Start(_));
            assert!(
                !driven.events[before..].iter().any(obeyed),
                "obeyed unverified"
            );
            assert!(server.is_closed(), "open after a wrong HMAC");
        }
    }
    server.handle_eof(now);
    round(&mut server, now, &mut driven);
    assert!(server.is_closed() && server.poll_timeout().is_none());
    driven
}

/// Octet 0: features wanted, and how many sessions. Octet 1: size of the pieces that the rest comes
/// in, which is all that a Server says.
///
/// # Panics
/// When segmentation makes a difference, or the connection does not end.
pub(crate) fn client(input: &[u8]) {
    let [flags, piece, stream @ ..] = input else {
        return;
    };
    let whole = ask(*flags, stream, stream.len().max(1));
    let pieces = ask(*flags, stream, usize::from(*piece).max(1));
    assert_eq!(whole, pieces, "segmentation makes a difference");
}

fn ask(flags: u8, stream: &[u8], piece: usize) -> (Vec<ClientEvent>, Vec<u8>) {
    let plan = ClientPlan {
        preferred: Modes::from_bits(u32::from(flags & 7) << 4),
        sessions: vec![SessionPlan::default(); usize::from(flags >> 4)],
        ..ClientPlan::default()
    };
    drive_client(plan, stream, piece)
}

/// A client to its end: what it told, and what it said.
pub(crate) fn drive_client(
    plan: ClientPlan,
    stream: &[u8],
    piece: usize,
) -> (Vec<ClientEvent>, Vec<u8>) {
    let mut client = ControlClient::new(plan, NOW, SERVER);
    let (mut events, mut output) = (Vec::new(), Vec::new());
    let mut round = |client: &mut ControlClient| {
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Settled { .. } => {
                    client.start(NOW);
                }
                ClientEvent::Started { index } => {
                    let individual = client.modes().contains(Modes::INDIVIDUAL_CONTROL);
                    if individual && index % 2 == 0 {
                        client.stop_sessions(NOW, &[index]);
                    } else {
                        client.stop(NOW, Accept::Ok);
                    }
                }
                ClientEvent::Message(_)
                | ClientEvent::Greeting { .. }
                | ClientEvent::Ready { .. }
                | ClientEvent::Accepted { .. }
                | ClientEvent::Refused { .. }
                | ClientEvent::Stopped { .. }
                | ClientEvent::IrregularCount { .. }
                | ClientEvent::UnexpectedAck { .. }
                | ClientEvent::Failed(_)
                | ClientEvent::Closed => {}
            }
            events.push(event);
        }
        while let Some(octets) = client.poll_output() {
            output.extend_from_slice(octets);
            let written = octets.len();
            client.handle_written(NOW, written);
        }
    };
    for mut rest in stream.chunks(piece.min(stream.len().max(1))) {
        while !rest.is_empty() {
            let taken = client.handle_input(NOW, rest);
            assert!(taken > 0, "nothing waits, and nothing is taken");
            rest = rest.get(taken..).unwrap_or_default();
            round(&mut client);
        }
    }
    client.handle_eof(NOW);
    round(&mut client);
    assert!(client.is_closed() && client.poll_timeout().is_none());
    (events, output)
}
