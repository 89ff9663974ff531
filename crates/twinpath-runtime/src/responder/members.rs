//! Following the members of links (RFC 9534): one that is added to a bond, a team or a bridge later has sockets
//! from then on, and one that leaves it has them no longer.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tracing::{info, warn};
use twinpath_net::host::{self, InterfaceChanges};
use twinpath_net::{TestSocket, interface};
use twinpath_wire::Mono;

use crate::error::{StartError, spawn};
use crate::reflect::Sockets;

/// How often a thread looks whether there are others.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A socket over a member: its address and port, and the member's name.
type Over = (IpAddr, u16, String);

/// A thread's sockets over members, and how they follow the members.
#[derive(Default)]
pub(super) struct FollowMembers {
    /// `None`: there are no members.
    listed: Option<Arc<Listed>>,
    version: u32,
    /// Sockets that had been opened when it last looked.
    opened: u64,
    look_due: Mono,
}

/// The members as another thread lists them: with many interfaces that takes milliseconds.
struct Listed {
    /// Interfaces with IDs, and links with members that have some.
    with_ids: Vec<String>,
    links: Vec<String>,
    names: Mutex<Vec<String>>,
    /// It grows with each change of `names`.
    version: AtomicU32,
}

impl FollowMembers {
    /// Of these links, of whose members these have IDs, and sockets whether they are members or not.
    ///
    /// # Errors
    /// [`StartError`]: the system has no more threads.
    pub(super) fn start(with_ids: Vec<String>, links: Vec<String>) -> Result<Self, StartError> {
        if links.is_empty() {
            return Ok(Self::default());
        }
        // Before they are listed, so that no change is missed.
        let changes = InterfaceChanges::watch();
        let listed = Arc::new(Listed {
            names: Mutex::new(all_members(&with_ids, &links)),
            with_ids,
            links,
            version: AtomicU32::new(1),
        });
        let weak = Arc::downgrade(&listed);
        spawn("members".to_owned(), move || follow(&weak, &changes))?;
        Ok(Self {
            listed: Some(listed),
            ..Self::default()
        })
    }

    /// Opens and closes sockets over members, where members or addresses have changed. When it is called again
    /// at the latest; `None`: that does not matter.
    pub(super) fn attend(&mut self, sockets: &mut Sockets, now: Mono) -> Option<Mono> {
        let listed = self.listed.as_ref()?;
        if now < self.look_due {
            return Some(self.look_due);
        }
        self.look_due = now + LOOK_EVERY;
        let version = listed.version.load(Ordering::Acquire);
        if (version, sockets.opened()) != (self.version, self.opened) {
            self.version = version;
            let names = listed.names.lock().unwrap_or_else(PoisonError::into_inner);
            apply(sockets, &names);
            self.opened = sockets.opened();
        }
        Some(self.look_due)
    }
}

fn follow(listed: &Weak<Listed>, changes: &InterfaceChanges) {
    loop {
        let is_stale = changes.wait(LOOK_EVERY);
        let Some(listed) = listed.upgrade() else {
            return;
        };
        if is_stale {
            let now = all_members(&listed.with_ids, &listed.links);
            let mut names = listed.names.lock().unwrap_or_else(PoisonError::into_inner);
            if *names != now {
                *names = now;
                listed.version.fetch_add(1, Ordering::Release);
            }
        }
    }
}

/// The names of interfaces with IDs, and of all other members of the links.
fn all_members(with_ids: &[String], links: &[String]) -> Vec<String> {
    let links = links.iter().filter_map(|link| interface::index_of(link));
    let members = links.flat_map(|link| host::members_of(link).unwrap_or_default());
    let mut names = with_ids.to_vec();
    for name in members.filter_map(interface::name_of) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Has each socket whose packets come by all links have one over each member.
fn apply(sockets: &mut Sockets, names: &[String]) {
    let (over, plain): (Vec<_>, Vec<_>) = sockets.iter().partition(|it| it.is_over_member());
    let have: BTreeSet<Over> = over.into_iter().filter_map(place).collect();
    let addresses: Vec<(IpAddr, u16)> = plain.iter().map(|it| address(it)).collect();
    let changes = Changes::of(&addresses, &have, names);
    let mut opened = Vec::new();
    for (ip, port, member) in &changes.open {
        let beside = plain.iter().find(|it| address(it) == (*ip, *port));
        match beside.map(|socket| socket.over_member(member)) {
            Some(Ok(socket)) => {
                info!(member, %ip, "a member of the link has a socket from now on");
                opened.push(socket);
            }
            Some(Err(error)) => warn!(member, %error, "cannot answer by a member of the link"),
            None => {}
        }
    }
    sockets.close_where(|socket| place(socket).is_some_and(|it| changes.close.contains(&it)));
    for socket in opened {
        sockets.add(socket, true);
    }
}

fn address(socket: &TestSocket) -> (IpAddr, u16) {
    (socket.local().ip(), socket.local().port())
}

/// `None`: it is not over a member.
fn place(socket: &TestSocket) -> Option<Over> {
    let device = socket.device().filter(|_| socket.is_over_member())?;
    let (ip, port) = address(socket);
    Some((ip, port, device.name.clone()))
}

/// Sockets over members to open and to close.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    open: Vec<Over>,
    close: BTreeSet<Over>,
}

impl Changes {
    /// Where there are sockets with these addresses and ports, and these over members, and these are the
    /// members.
    fn of(addresses: &[(IpAddr, u16)], have: &BTreeSet<Over>, names: &[String]) -> Self {
        let mut wanted = BTreeSet::new();
        for (ip, port) in addresses {
            wanted.extend(names.iter().map(|name| (*ip, *port, name.clone())));
        }
        Self {
            open: wanted.difference(have).cloned().collect(),
            close: have.difference(&wanted).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(ip: &str, member: &str) -> Over {
        (ip.parse().unwrap(), 862, member.to_owned())
    }

    fn changes(addresses: &[&str], have: &[(&str, &str)], names: &[&str]) -> Changes {
        let addresses: Vec<_> = addresses
            .iter()
            .map(|ip| (ip.parse().unwrap(), 862))
            .collect();
        let have = have.iter().map(|(ip, member)| over(ip, member)).collect();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Changes::of(&addresses, &have, &names)
    }

    #[test]
    fn what_joins_a_link_has_sockets_and_what_leaves_it_has_none() {
        let (v4, v6) = ("0.0.0.0", "::");
        let have = [(v4, "eth0"), (v6, "eth0")];
        assert_eq!(changes(&[v4, v6], &have, &["eth0"]), Changes::default());
        let joined = changes(&[v4, v6], &have, &["eth0", "eth1"]);
        assert_eq!(joined.open, [over(v4, "eth1"), over(v6, "eth1")]);
        assert!(joined.close.is_empty());
        let left = changes(&[v4, v6], &have, &[]);
        assert_eq!(
            left.close,
            BTreeSet::from(have.map(|(ip, it)| over(ip, it)))
        );
        assert!(left.open.is_empty());
        // One for another, and an address that is new, and one that is gone.
        let both = changes(&[v4], &have, &["eth2"]);
        assert_eq!(both.open, [over(v4, "eth2")]);
        assert_eq!(both.close.len(), 2);
        let new = changes(&[v4, v6], &have[..1], &["eth0"]);
        assert_eq!(new.open, [over(v6, "eth0")]);
    }

    #[test]
    fn interfaces_with_ids_are_listed_whether_they_are_members_or_not() {
        let with_ids = vec!["lo".to_owned(), "none7".to_owned()];
        assert_eq!(all_members(&with_ids, &["lo".to_owned()]), with_ids);
    }
}
