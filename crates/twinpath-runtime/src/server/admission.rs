//! Who is served, and who is told that there is no room (row TC-79).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twinpath_proto::control::Admission;
use twinpath_wire::control::Accept;

/// One in so many connections more is told why it is refused, and as many again that there is no
/// room for that.
const RESERVE: usize = 10;

/// The counts of open connections.
#[derive(Debug)]
pub(super) struct Door {
    most: usize,
    most_per_client: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    served: usize,
    refused: usize,
    turned_away: usize,
    clients: HashMap<IpAddr, usize>,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    door: Arc<Door>,
    client: IpAddr,
    pub(super) admission: Admission,
}

impl Door {
    pub(super) fn new(most: usize, most_per_client: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_client,
            counts: Mutex::default(),
        })
    }

    /// Open connections.
    pub(super) fn open(&self) -> usize {
        let counts = self.counts();
        counts.served + counts.refused + counts.turned_away
    }

    /// What becomes of a new connection; `None`: it is closed without a word. A client that is not
    /// `allowed` is told so like one over its limit.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr, allowed: bool) -> Option<Pass> {
        let client = client.to_canonical();
        let mut counts = self.counts();
        let reserve = (self.most / RESERVE).max(1);
        let of_client = counts.clients.get(&client).copied().unwrap_or(0);
        let refusal = if !allowed || of_client >= self.most_per_client {
            Some(Accept::PermanentLimit)
        } else if counts.served >= self.most {
            Some(Accept::TemporaryLimit)
        } else {
            None
        };
        let admission = match refusal {
            None => {
                counts.served += 1;
                counts.clients.insert(client, of_client + 1);
                Admission::Served
            }
            Some(accept) if counts.refused < reserve => {
                counts.refused += 1;
                Admission::Refused(accept)
            }
            Some(_) if counts.turned_away < reserve => {
                counts.turned_away += 1;
                Admission::TurnedAway
            }
            Some(_) => return None,
        };
        Some(Pass {
            door: Arc::clone(self),
            client,
            admission,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.door.counts();
        match self.admission {
            Admission::Refused(_) => counts.refused -= 1,
            Admission::TurnedAway => counts.turned_away -= 1,
            Admission::Served => {
                counts.served -= 1;
                if let Some(count) = counts.clients.get_mut(&self.client) {
                    *count -= 1;
                    if *count == 0 {
                        counts.clients.remove(&self.client);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    #[test]
    fn over_its_own_limit_a_client_is_refused_for_good_and_others_are_served() {
        let door = Door::new(30, 2);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let first = door.admit(client(1), true).unwrap();
        let _second = door.admit(mapped, true).unwrap();
        let third = door.admit(client(1), true).unwrap();
        assert_eq!(third.admission, Admission::Refused(Accept::PermanentLimit));
        let other = door.admit(client(2), true).unwrap();
        assert_eq!(other.admission, Admission::Served);
        drop(first);
        let again = door.admit(client(1), true).unwrap();
        assert_eq!(again.admission, Admission::Served);
    }

    #[test]
    fn who_is_not_allowed_is_told_so_by_the_reserve() {
        let door = Door::new(10, 2);
        let stranger = door.admit(client(1), false).unwrap();
        let refused = Admission::Refused(Accept::PermanentLimit);
        assert_eq!(stranger.admission, refused);
        let next = door.admit(client(1), false).unwrap();
        assert_eq!(next.admission, Admission::TurnedAway);
        assert!(door.admit(client(1), false).is_none());
        assert_eq!(
            door.admit(client(2), true).unwrap().admission,
            Admission::Served
        );
    }

    #[test]
    fn when_all_is_taken_a_reserve_is_told_so_and_the_rest_is_sent_off() {
        let door = Door::new(20, 100);
        let passes: Vec<_> = (0..24).map_while(|_| door.admit(client(1), true)).collect();
        let admissions: Vec<_> = passes.iter().map(|pass| pass.admission).collect();
        assert_eq!(admissions[..20], [Admission::Served; 20]);
        let refused = Admission::Refused(Accept::TemporaryLimit);
        assert_eq!(admissions[20..22], [refused; 2]);
        assert_eq!(admissions[22..], [Admission::TurnedAway; 2]);
        assert!(door.admit(client(2), true).is_none());
        assert_eq!(door.open(), 24);
        drop(passes);
        assert_eq!(door.open(), 0);
        assert!(door.counts().clients.is_empty());
    }
}
