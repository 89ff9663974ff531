//! Opening the sockets: one group a thread, all before the first is read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_net::activation::{PassedFault, PassedSocket};
use twinpath_net::{
    ArrivalInterface, BindError, Role, SocketOptions, TestSocket, host, interface,
    reports_destination,
};
use twinpath_proto::extension::MemberLink;

use crate::ResponderPlan;
use crate::error::StartError;

/// The address of a socket that has none. It is refused for its kind.
const UNNAMED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The sockets of each thread, one for each address.
///
/// With several threads the kernel's flow hash keeps a session on one of them, but only while the
/// group is complete: so all are opened here, and none is ever added.
pub(super) fn open(plan: &ResponderPlan) -> Result<Vec<Vec<TestSocket>>, StartError> {
    let threads = plan.threads.max(1);
    let first = if is_each_address(plan) {
        open_own(plan, threads)?
    } else {
        open_given(plan, threads)?
    };
    let addresses: Vec<SocketAddr> = first.iter().map(TestSocket::local).collect();
    let mut groups = vec![first];
    for _ in 1..threads {
        let more = addresses
            .iter()
            .map(|near| TestSocket::open(&options(plan, *near, threads)));
        groups.push(more.collect::<Result<_, _>>()?);
    }
    join(plan, &groups)?;
    Ok(groups)
}

/// Takes over passed sockets, those of one address one for each thread.
pub(super) fn adopt(
    plan: &ResponderPlan,
    passed: Vec<PassedSocket>,
) -> Result<Vec<Vec<TestSocket>>, StartError> {
    let near: Vec<_> = passed.iter().filter_map(PassedSocket::local).collect();
    let most = |near: &SocketAddr, all: &[SocketAddr]| all.iter().filter(|it| *it == near).count();
    let threads = near.iter().map(|one| most(one, &near)).max().unwrap_or(0);
    let is_even = near.iter().all(|one| most(one, &near) == threads);
    let mut groups: Vec<Vec<TestSocket>> = Vec::new();
    groups.resize_with(threads.max(1), Vec::new);
    for passed in passed {
        if !is_even || (plan.threads > 1 && plan.threads != threads) {
            return Err(passed.fault(PassedFault::Uneven).into());
        }
        let near = passed.local().unwrap_or(UNNAMED);
        let socket = TestSocket::adopt(passed, &options(plan, near, threads))?;
        let has_none = |group: &&mut Vec<TestSocket>| group.iter().all(|it| it.local() != near);
        if let Some(group) = groups.iter_mut().find(has_none) {
            group.push(socket);
        }
    }
    join(plan, &groups)?;
    Ok(groups)
}

/// Joins multicast groups. Of the sockets that share a port each would get what is sent to a group: one joins it.
fn join(plan: &ResponderPlan, groups: &[Vec<TestSocket>]) -> Result<(), StartError> {
    for (group, interface) in &plan.joins {
        let interface = interface.as_ref().or(plan.path.interface.as_ref());
        let of_family = |socket: &&TestSocket| {
            socket.local().is_ipv4() == group.is_ipv4() && socket.local().ip().is_unspecified()
        };
        let mut joined = false;
        for socket in groups.iter().flatten().filter(of_family) {
            socket.ignore_groups_of_others()?;
            if !std::mem::replace(&mut joined, true) {
                socket.join(*group, interface.map(String::as_str))?;
            }
        }
        if !joined {
            return Err(StartError::NoSocketForGroup { group: *group });
        }
    }
    Ok(())
}

/// What there is for member links of LAGs (RFC 9534).
#[derive(Default)]
pub(super) struct Members {
    pub(super) sockets: Vec<TestSocket>,
    /// The members that have IDs.
    pub(super) links: Vec<MemberLink>,
    /// The links that they belong to, by name.
    pub(super) names: Vec<String>,
}

/// A socket on each member link with an ID for each of these, whose packets come by all links. Other members of
/// the same links get some as soon as a thread follows them ([`super::members`]): what comes by them is then known to
/// come by no member that has an ID.
pub(super) fn members(plan: &ResponderPlan, sockets: &[TestSocket]) -> Result<Members, StartError> {
    let mut members = Members::default();
    for (id, interface) in &plan.members {
        let all = sockets.iter().map(|socket| socket.over_member(interface));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        let device = all.first().and_then(TestSocket::device);
        members.links.push(MemberLink {
            id: *id,
            interface: device.map(|device| device.index),
        });
        members.sockets.extend(all);
    }
    let with_ids: Vec<u32> = members.links.iter().filter_map(|it| it.interface).collect();
    let links = links_of(&with_ids).map_err(StartError::system("the members of a link"))?;
    members.names = links;
    Ok(members)
}

/// The names of the links that these interfaces are members of.
fn links_of(members: &[u32]) -> io::Result<Vec<String>> {
    let mut links = Vec::new();
    for member in members {
        let link = interface::name_of(host::link_of(*member)?);
        links.extend(link.filter(|name| !links.contains(name)));
    }
    Ok(links)
}

/// The first thread's sockets, on the addresses that were given.
fn open_given(plan: &ResponderPlan, threads: usize) -> Result<Vec<TestSocket>, StartError> {
    let mut first = Vec::new();
    for near in &plan.near {
        match open_first(plan, *near, &first, threads) {
            Ok(socket) => first.push(socket),
            Err(error) if plan.tolerate_missing_family && error.is_family() => {}
            Err(error) => return Err(error.into()),
        }
    }
    say_why_none(plan, &first, threads)?;
    Ok(first)
}

/// The first thread's sockets where one on all addresses cannot tell what was sent to this host alone:
/// one on each of its addresses.
fn open_own(plan: &ResponderPlan, threads: usize) -> Result<Vec<TestSocket>, StartError> {
    let mut first: Vec<TestSocket> = Vec::new();
    for near in own_addresses(plan) {
        match open_first(plan, near, &first, threads) {
            Ok(socket) => first.push(socket),
            // Gone by now, or not usable yet, or of another VRF.
            Err(BindError::NotLocal { .. } | BindError::NotOneHost { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    say_why_none(plan, &first, threads)?;
    Ok(first)
}

/// Without a socket: why the first address that was asked for could not be had.
fn say_why_none(
    plan: &ResponderPlan,
    opened: &[TestSocket],
    threads: usize,
) -> Result<(), StartError> {
    if opened.is_empty()
        && let Some(near) = plan.near.first()
    {
        TestSocket::open(&options(plan, *near, threads))?;
    }
    Ok(())
}

/// Whether each of this host's addresses has a socket of its own.
pub(super) fn is_each_address(plan: &ResponderPlan) -> bool {
    let is_wildcard = |near: &SocketAddr| near.ip().is_unspecified();
    !reports_destination(plan.path.portable) && plan.near.iter().any(is_wildcard)
}

/// The addresses to listen on where each has a socket of its own.
pub(super) fn own_addresses(plan: &ResponderPlan) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for near in &plan.near {
        if near.ip().is_unspecified() {
            let own = host::own_addresses(near.port()).unwrap_or_default();
            all.extend(
                own.into_iter()
                    .filter(|own| own.is_ipv4() == near.is_ipv4()),
            );
        } else {
            all.push(*near);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// One more socket, for an address that this host has from now on.
pub(super) fn open_one(plan: &ResponderPlan, near: SocketAddr) -> Result<TestSocket, BindError> {
    TestSocket::open(&options(plan, near, plan.threads.max(1)))
}

/// The first thread's socket for an address. Where any port will do, the addresses share one.
fn open_first(
    plan: &ResponderPlan,
    near: SocketAddr,
    opened: &[TestSocket],
    threads: usize,
) -> Result<TestSocket, BindError> {
    if near.port() == 0
        && let Some(other) = opened.first()
    {
        let same_port = SocketAddr::new(near.ip(), other.local().port());
        match TestSocket::open(&options(plan, same_port, threads)) {
            Err(error) if error.is_in_use() => {}
            result => return result,
        }
    }
    if threads > 1 && near.port() != 0 {
        // A group lets any program of the same user join: make sure that none has it.
        drop(TestSocket::open(&options(plan, near, 1))?);
    }
    TestSocket::open(&options(plan, near, threads))
}

fn options(plan: &ResponderPlan, near: SocketAddr, threads: usize) -> SocketOptions {
    SocketOptions {
        near,
        path: plan.path.clone(),
        role: Role::Reflector {
            shares_port: threads > 1,
            arrivals_by: arrivals_by(plan),
        },
    }
}

/// TLVs ask for what depends on the interface that a request came by. Where members of a link have sockets of
/// their own, it decides which socket answers, from the first request on.
fn arrivals_by(plan: &ResponderPlan) -> ArrivalInterface {
    let mut members = plan.reflector.extensions.micro_sessions.iter();
    if !plan.reflector.may_process_tlvs() {
        ArrivalInterface::Unknown
    } else if members.any(|link| link.interface.is_some()) {
        ArrivalInterface::Reported
    } else {
        ArrivalInterface::Assumed
    }
}
