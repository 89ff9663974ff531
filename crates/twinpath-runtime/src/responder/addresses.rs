//! Following this host's addresses where each has a socket of its own.

use std::io;
use std::time::Duration;

use twinpath_net::{TestSocket, clock};
use twinpath_wire::Mono;

use super::listen;
use crate::ResponderPlan;
use crate::reflect::{MemberLinks, Sockets};

/// How often the addresses are listed.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// What sockets for new addresses are opened by; `None`: no address has one of its own.
pub(super) struct FollowAddresses {
    plan: Option<ResponderPlan>,
    list_due: Mono,
}

/// A thread's sockets as it begins, and how it follows their addresses.
pub(super) fn begin(
    plan: &ResponderPlan,
    group: Vec<TestSocket>,
    member_links: MemberLinks,
) -> io::Result<(Sockets, FollowAddresses)> {
    let port = group.first().map_or(0, |socket| socket.local().port());
    let plan_for_new = listen::is_each_address(plan).then(|| {
        let mut plan = plan.clone();
        plan.near.iter_mut().for_each(|near| near.set_port(port));
        plan
    });
    let addresses = FollowAddresses {
        plan: plan_for_new,
        list_due: clock::mono() + LIST_EVERY,
    };
    let mut sockets = Sockets::beside(member_links)?;
    for socket in group {
        let stays = addresses.stays_with_interface() || socket.is_over_member();
        sockets.add(socket, stays);
    }
    Ok((sockets, addresses))
}

impl FollowAddresses {
    /// An interface that was made again has its addresses again, and these are followed.
    fn stays_with_interface(&self) -> bool {
        let by_address = |plan: &ResponderPlan| plan.path.interface.is_none();
        !self.plan.as_ref().is_some_and(by_address)
    }

    /// Opens sockets for addresses that are new, and closes those whose address is gone. When it is
    /// called again at the latest; `None`: that does not matter.
    pub(super) fn attend(&mut self, sockets: &mut Sockets, now: Mono) -> Option<Mono> {
        let plan = self.plan.as_ref()?;
        if now >= self.list_due {
            self.list_due = now + LIST_EVERY;
            let listed = listen::own_addresses(plan);
            // Those over members are closed with their address by who follows members.
            sockets.close_where(|it| !it.is_over_member() && !listed.contains(&it.local()));
            for near in listed {
                if sockets.iter().all(|socket| socket.local() != near) {
                    // What cannot be had now may be had the next time.
                    if let Ok(socket) = listen::open_one(plan, near) {
                        sockets.add(socket, self.stays_with_interface());
                    }
                }
            }
        }
        Some(self.list_due)
    }
}
