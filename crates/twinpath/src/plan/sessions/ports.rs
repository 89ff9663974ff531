//! The ports, SSIDs and descriptors that planned sessions take.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use twinpath_proto::sender::{Format, Wire};
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::{TlvType, Tos};

use super::{PlannedSession, Target};
use crate::args::MicroSession;
use crate::failure::Failure;
use crate::plan::micro_sessions;
use crate::plan::targets::Place;

/// A session with a thread of its own has a socket, and what its thread is woken by.
const DESCRIPTORS_OF_ITS_OWN: usize = 2;
/// Those of a process with files, signals and a terminal.
const OTHER_DESCRIPTORS: usize = 32;

/// How many sessions were planned, from which ports and with which SSIDs.
#[derive(Default)]
pub(super) struct PortsTaken {
    sessions: usize,
    /// By the first of them.
    ssids: HashMap<u16, usize>,
    beside: HashMap<Beside, usize>,
}

/// What sessions have alike that need a port each: the local address and the first port; those that share a
/// thread the far end too, or its name.
type Beside = (Option<IpAddr>, u16, Option<(SocketAddr, String)>);

impl PortsTaken {
    /// The sessions of one target, for each class and path.
    pub(super) fn sessions_of(
        &mut self,
        plan: &SenderPlan,
        target: &Target,
        (classes, paths): (&[Tos], Option<u16>),
        micro_sessions: &[MicroSession],
        place: Option<&Place>,
    ) -> Result<Vec<PlannedSession>, Failure> {
        // Sessions that share a thread share ports as well, unless they have one far end.
        let name = || match plan.far.port() {
            0 => target.name.clone(),
            _ => String::new(),
        };
        let far = (!plan.exact).then(|| (plan.far, name()));
        let from = (plan.near, first_port(plan.port), far);
        let beside = self.beside.entry(from).or_default();
        let mut sessions = Vec::new();
        // The members of one link share a port, for each class.
        let members = classes
            .iter()
            .map(|_| micro_sessions::members(micro_sessions));
        let members: Vec<_> = members.collect();
        let first = *beside;
        for path in 1..=paths.unwrap_or(1) {
            let place_of_path = usize::from(path) - 1;
            for (nth, (class, members)) in classes.iter().zip(&members).enumerate() {
                let member = members.get(place_of_path).cloned();
                if member.is_some() {
                    *beside = first + nth;
                }
                check_port(plan.port, *beside, place)?;
                let mut plan = SenderPlan {
                    seed: plan.seed + self.sessions as u64,
                    wire: with_own_ssid(plan.wire, &mut self.ssids)?,
                    member,
                    ..plan.of_session(*beside, *class)
                };
                if let Some(session) = micro_sessions.get(place_of_path) {
                    plan.tlvs
                        .retain(|tlv| tlv.kind() != TlvType::MICRO_SESSION_ID);
                    plan.tlvs.push(micro_sessions::tlv(session)?);
                }
                sessions.push(PlannedSession {
                    plan,
                    target: target.clone(),
                    class: *class,
                    path: paths.map(|_| path),
                    end: None,
                });
                *beside += 1;
                self.sessions += 1;
            }
        }
        Ok(sessions)
    }
}

/// With the SSID for one more session: unique among those of the sender (RFC 8972 section 3).
fn with_own_ssid(wire: Wire, taken: &mut HashMap<u16, usize>) -> Result<Wire, Failure> {
    let Format::Stamp {
        ssid: first @ 1..,
        time_format,
    } = wire.format
    else {
        return Ok(wire);
    };
    let earlier = taken.entry(first).or_default();
    let ssid = u16::try_from(usize::from(first) + *earlier).map_err(|_| {
        Failure::usage(format!(
            "from SSID {first} on there are fewer SSIDs than sessions need: use a lower --ssid"
        ))
    })?;
    *earlier += 1;
    Ok(Wire {
        format: Format::Stamp { ssid, time_format },
        ..wire
    })
}

/// The first of the ports that sessions take.
pub(super) fn first_port(choice: PortChoice) -> u16 {
    match choice {
        PortChoice::Exact(port) | PortChoice::Prefer(port) | PortChoice::Range(port, _) => port,
    }
}

/// Whether there is a port for one more session, with so many before it.
fn check_port(choice: PortChoice, earlier: usize, place: Option<&Place>) -> Result<(), Failure> {
    match choice {
        PortChoice::Exact(first @ 1..) if usize::from(u16::MAX - first) < earlier => {
            let place = place.map_or_else(String::new, |place| format!("{place}: "));
            Err(Failure::usage(format!(
                "{place}from port {first} on there are fewer ports than sessions need"
            ))
            .with_remedy(Some("use a lower port, or 0 for any free ones")))
        }
        PortChoice::Exact(_) | PortChoice::Prefer(_) | PortChoice::Range(..) => Ok(()),
    }
}

/// Whether the sockets of all sessions can be open at once.
pub(super) fn check_descriptors(
    sessions: &[PlannedSession],
    threads: usize,
    most: Option<u64>,
) -> Result<(), Failure> {
    let (mut own, mut shared) = (0, HashSet::new());
    for one in sessions {
        let plan = &one.plan;
        if plan.exact {
            own += 1 + usize::from(plan.member.is_some());
        } else {
            let port = match plan.port {
                PortChoice::Exact(port) | PortChoice::Prefer(port) => port,
                PortChoice::Range(..) => one.path.unwrap_or(1),
            };
            let member = plan.member.as_ref().map(|member| &*member.interface);
            shared.insert((port, one.class, plan.near, plan.far.is_ipv4(), member));
        }
    }
    // Over a member, a packet socket beside the one that has the port.
    let over_members = shared
        .iter()
        .filter(|(.., member)| member.is_some())
        .count();
    let shared = shared.len() + over_members;
    let needed = own * DESCRIPTORS_OF_ITS_OWN + shared * threads + OTHER_DESCRIPTORS;
    match most {
        Some(most) if most < needed as u64 => Err(Failure::could_not(format!(
            "{} sessions need {needed} files and sockets open at once, but the limit is {most}",
            sessions.len()
        ))
        .with_remedy(Some("raise it (`ulimit -Hn`), or use fewer --paths"))),
        _ => Ok(()),
    }
}
