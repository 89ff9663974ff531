//! The state table of the Server (section 11 of the conformance table), a test for each row and
//! an entry for each cell.

use twinpath_proto::control::{
    CloseReason, PeerDeviation, RequestFault, ServerConfig, ServerEvent,
};
use twinpath_wire::control::Sid;

use super::messages::{
    accept_session, many, request, set_up, sid, start_ack, start_sessions, stop_sessions,
};
use super::rig::ServerRig;

const NOTHING: Sid = Sid([0; 16]);

/// Result of a command: kinds of events, messages, and whether the connection ends.
struct Cell {
    command: Vec<u8>,
    events: Vec<ServerEvent>,
    answers: Vec<Vec<u8>>,
    closes: bool,
}

fn cell(command: Vec<u8>, events: &[ServerEvent], answers: &[Vec<u8>]) -> Cell {
    Cell {
        command,
        events: events.to_vec(),
        answers: answers.to_vec(),
        closes: false,
    }
}

/// Accept-Session 3 and the end (rows TC-69, TC-70).
fn unexpected(command: Vec<u8>, before: &[ServerEvent]) -> Cell {
    let closed = ServerEvent::Closed(CloseReason::UnexpectedCommand(command[0]));
    let mut cell = cell(command, before, &[refused()]);
    cell.events.push(closed);
    cell.closes = true;
    cell
}

fn refused() -> Vec<u8> {
    accept_session(3, 0, NOTHING)
}

/// The number of commands that no state expects: reserved, forbidden, experimental, acknowledgements
/// and unknown ones.
const OTHERS: [u8; 9] = [0, 1, 4, 6, 8, 10, 11, 200, 255];

fn others(before: &[ServerEvent]) -> impl Iterator<Item = Cell> {
    OTHERS
        .map(|command| unexpected(vec![command; 64], before))
        .into_iter()
}

fn check(state: &str, modes: u32, prelude: &[Vec<u8>], cells: impl IntoIterator<Item = Cell>) {
    for cell in cells {
        let name = format!("{state}, command {}", cell.command[0]);
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        for message in prelude {
            rig.feed(message);
        }
        let (mut events, answers) = rig.exchange(&cell.command);
        // The request's fields are judged elsewhere.
        events.retain(|event| !matches!(event, ServerEvent::Open(_)));
        assert_eq!(events, cell.events, "{name}");
        assert_eq!(answers, cell.answers, "{name}");
        assert_eq!(rig.server.is_closed(), cell.closes, "{name}");
    }
}

#[test]
fn with_the_greeting_sent_only_a_set_up_response_is_read() {
    // 164 octets, whatever they begin with: there is no command octet yet.
    let mut rig = ServerRig::new(ServerConfig::default());
    let (events, sent) = rig.exchange(&request());
    assert_eq!((events, sent), (vec![], vec![]));
    let mut rig = ServerRig::new(ServerConfig::default());
    rig.feed(&set_up(1)[..163]);
    assert!(rig.events.is_empty());
    rig.feed(&[0]);
    assert!(matches!(rig.events[..], [ServerEvent::Ready { .. }]));
}

#[test]
fn in_the_request_state() {
    // Rows TC-30, TC-52, TC-53, TC-55, TC-69, TC-70.
    let granted = accept_session(0, 20_001, sid(0));
    let stop = ServerEvent::Note(PeerDeviation::StopWithoutStart);
    let cells = [
        cell(request(), &[], &[granted]),
        // Nothing was accepted: nothing to start.
        cell(
            start_sessions(),
            &[ServerEvent::Refused(RequestFault::NothingToStart)],
            &[start_ack(3)],
        ),
        cell(stop_sessions(0, 0), &[stop], &[]),
        unexpected(many(7, 0, &[sid(0)]), &[]),
        unexpected(many(9, 0, &[sid(0)]), &[]),
    ];
    check("request", 1, &[], cells.into_iter().chain(others(&[])));

    let gone = [ServerEvent::Remove(sid(0))];
    let cells = [
        cell(request(), &[], &[accept_session(0, 20_001, sid(1))]),
        cell(
            start_sessions(),
            &[ServerEvent::Start(sid(0))],
            &[start_ack(0)],
        ),
        cell(stop_sessions(0, 0), &[stop], &[]),
        unexpected(many(7, 0, &[sid(0)]), &gone),
        unexpected(many(9, 0, &[sid(0)]), &gone),
    ];
    let cells = cells.into_iter().chain(others(&gone));
    check("request, one accepted", 1, &[request()], cells);
}

#[test]
fn in_the_active_state() {
    // Rows TC-54, TC-55, TC-69, TC-70.
    let stopped = [ServerEvent::Stop(sid(0))];
    let waits = ServerEvent::Refused(RequestFault::WhileRunning);
    let note = ServerEvent::Note;
    let cells = [
        cell(
            request(),
            &[note(PeerDeviation::RequestWhileRunning), waits],
            &[refused()],
        ),
        cell(
            start_sessions(),
            &[note(PeerDeviation::StartWhileRunning), waits],
            &[start_ack(3)],
        ),
        cell(stop_sessions(0, 1), &stopped, &[]),
        unexpected(many(7, 0, &[sid(0)]), &stopped),
        unexpected(many(9, 0, &[sid(0)]), &stopped),
    ];
    let cells = cells.into_iter().chain(others(&stopped));
    check("active", 1, &[request(), start_sessions()], cells);
}

#[test]
fn with_individual_session_control() {
    // Rows TC-62, TC-63, TC-66, TC-67.
    let note = ServerEvent::Note;
    let (start, stop) = (ServerEvent::Start(sid(0)), ServerEvent::Stop(sid(0)));
    let gone = [ServerEvent::Remove(sid(0))];
    let all = note(PeerDeviation::StopWithoutSids);
    let no_sids = ServerEvent::Refused(RequestFault::StartWithoutSids);
    let granted = [accept_session(0, 20_001, sid(1))];
    let cells = [
        cell(request(), &[], &granted),
        cell(
            start_sessions(),
            &[note(PeerDeviation::StartWithoutSids), no_sids],
            &[refused()],
        ),
        cell(stop_sessions(0, 0), &[all], &[]),
        cell(many(7, 0, &[sid(0)]), &[start], &[many(8, 0, &[sid(0)])]),
        // Never started: dropped.
        cell(many(9, 0, &[sid(0)]), &gone, &[many(10, 0, &[sid(0)])]),
    ];
    let cells = cells.into_iter().chain(others(&gone));
    check("bit 4, accepted", 17, &[request()], cells);

    let prelude = [request(), many(7, 0, &[sid(0)])];
    let cells = [
        cell(request(), &[], &granted),
        cell(
            start_sessions(),
            &[note(PeerDeviation::StartWithoutSids), no_sids],
            &[refused()],
        ),
        cell(stop_sessions(0, 1), &[all, stop], &[]),
        cell(many(7, 0, &[sid(0)]), &[], &[many(8, 3, &[sid(0)])]),
        cell(many(9, 0, &[sid(0)]), &[stop], &[many(10, 0, &[sid(0)])]),
    ];
    check(
        "bit 4, running",
        17,
        &prelude,
        cells.into_iter().chain(others(&[stop])),
    );

    let prelude = [request(), many(7, 0, &[sid(0)]), many(9, 0, &[sid(0)])];
    let cells = [
        cell(many(7, 0, &[sid(0)]), &[], &[many(8, 3, &[sid(0)])]),
        cell(many(9, 0, &[sid(0)]), &[], &[many(10, 0, &[sid(0)])]),
    ];
    check(
        "bit 4, stopped",
        17,
        &prelude,
        cells.into_iter().chain(others(&[])),
    );

    let unknown = note(PeerDeviation::UnknownSid);
    let cells = [
        cell(many(7, 0, &[sid(9)]), &[unknown], &[many(8, 3, &[sid(9)])]),
        cell(many(9, 0, &[sid(9)]), &[unknown], &[many(10, 3, &[sid(9)])]),
    ];
    check("bit 4, unknown", 17, &[], cells);
}

#[test]
fn the_end_of_the_connection_stops_what_runs_and_removes_what_does_not() {
    // Row TC-77, at every point of a session, also within a message.
    let sessions = [request(), request()].concat();
    let sid_list = [sid(0), sid(1)];
    let (start, stop) = (many(7, 0, &sid_list[..1]), many(9, 0, &sid_list[..1]));
    let removed = |number| ServerEvent::Remove(sid(number));
    let stopped = |number| ServerEvent::Stop(sid(number));
    let cases = [
        (1, vec![], vec![]),
        (1, vec![sessions.clone()], vec![removed(0), removed(1)]),
        (
            1,
            vec![sessions.clone(), start_sessions()],
            vec![stopped(0), stopped(1)],
        ),
        (
            1,
            vec![sessions.clone(), start_sessions(), stop_sessions(0, 2)],
            vec![],
        ),
        (
            17,
            vec![sessions.clone(), start.clone()],
            vec![stopped(0), removed(1)],
        ),
        (17, vec![sessions, start, stop], vec![removed(1)]),
    ];
    for (modes, messages, expected) in cases {
        for cut in [false, true] {
            let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
            for message in &messages {
                rig.feed(message);
            }
            rig.forget();
            if cut {
                rig.feed(&request()[..50]);
            }
            rig.server.handle_eof(rig.now);
            rig.drain();
            let reason = if cut {
                CloseReason::CutShort
            } else {
                CloseReason::PeerClosed
            };
            let mut expected = expected.clone();
            expected.push(ServerEvent::Closed(reason));
            assert_eq!(rig.events, expected);
            assert!(rig.server.is_closed());
            assert_eq!(rig.server.poll_timeout(), None);
        }
    }
}

#[test]
fn after_stop_new_rounds_are_served() {
    // Row TC-60.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    for round in 0..50 {
        let (events, sent) =
            rig.exchange(&[request(), start_sessions(), stop_sessions(0, 1)].concat());
        let session = sid(round);
        assert_eq!(
            events[1..],
            [ServerEvent::Start(session), ServerEvent::Stop(session)],
            "round {round}"
        );
        assert_eq!(sent, [accept_session(0, 20_001, session), start_ack(0)]);
    }
}
