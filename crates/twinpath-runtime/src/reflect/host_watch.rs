//! What reflector threads know of their host. One thread keeps it up to date for all of them: to list
//! 10,000 addresses takes 20 ms, in which packets would wait.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tracing::warn;
use twinpath_net::clock;
use twinpath_net::host::{self, InterfaceChanges};
use twinpath_proto::extension::{Host, SyncSource};
use twinpath_wire::Mono;

/// How often it is asked what the clock follows, and which neighbours there are.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// And, where it is synchronized, whether by a PTP hardware clock.
const ASK_EVERY: Duration = Duration::from_mins(1);
/// The host is not listed more often: changes come many at a time.
const SETTLE: Duration = Duration::from_millis(250);

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

#[derive(Debug, Default)]
struct Shared {
    host: Mutex<Arc<Host>>,
    /// Of `host`: it grows with each change.
    version: AtomicU32,
}

/// A thread's view of this host.
#[derive(Debug)]
pub(super) struct HostView {
    shared: Arc<Shared>,
    version: u32,
    host: Arc<Host>,
}

impl HostView {
    /// As the system lists it now.
    pub(super) fn new() -> Self {
        let mut running = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = running.upgrade().unwrap_or_else(|| {
            let shared = start();
            *running = Arc::downgrade(&shared);
            shared
        });
        Self::of(&shared)
    }

    fn of(shared: &Arc<Shared>) -> Self {
        let host = shared.host.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            version: shared.version.load(Ordering::Acquire).wrapping_sub(1),
            host: Arc::clone(&host),
            shared: Arc::clone(shared),
        }
    }

    /// Takes over what has changed. Whether something has; the first time it has. Makes no system call.
    pub(super) fn refresh(&mut self) -> bool {
        let version = self.shared.version.load(Ordering::Acquire);
        if version == self.version {
            return false;
        }
        // While it is being replaced, the next time will do.
        let Ok(host) = self.shared.host.try_lock() else {
            return false;
        };
        self.host = Arc::clone(&host);
        self.version = version;
        true
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Shared {
    fn replace(&self, host: Host) {
        let mut known = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        if **known != host {
            *known = Arc::new(host);
            self.version.fetch_add(1, Ordering::Release);
        }
    }
}

/// Lists this host, and starts the thread that does so from now on, until no view is left.
fn start() -> Arc<Shared> {
    let shared = Arc::new(Shared::default());
    // Before it is listed, so that no change is missed.
    let changes = InterfaceChanges::watch();
    let mut sync = ClockSync::default();
    shared.replace(listed(sync.source(clock::mono())));
    let weak = Arc::downgrade(&shared);
    let thread = std::thread::Builder::new().name("host".to_owned());
    let thread = thread.spawn(move || follow(&weak, &changes, sync));
    if let Err(error) = thread {
        warn!(%error, "cannot start the thread that follows this host's addresses: later changes are not seen");
    }
    shared
}

fn follow(shared: &Weak<Shared>, changes: &InterfaceChanges, mut sync: ClockSync) {
    loop {
        let is_stale = changes.wait(LOOK_EVERY);
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let before = sync.known;
        let source = sync.source(clock::mono());
        if is_stale || source != before {
            shared.replace(listed(source));
        } else {
            let known = Arc::clone(&shared.host.lock().unwrap_or_else(PoisonError::into_inner));
            shared.replace(with_neighbours(Host::clone(&known)));
        }
        drop(shared);
        if is_stale {
            std::thread::sleep(SETTLE);
        }
    }
}

fn listed(sync: SyncSource) -> Host {
    let all = host::interfaces().unwrap_or_default();
    with_neighbours(Host::new(all.addresses, all.macs, all.mtus, sync))
}

fn with_neighbours(host: Host) -> Host {
    let all = host::neighbours(None).unwrap_or_default().into_iter();
    host.with_neighbours(all.map(|one| (one.address, one.interface, one.mac)))
}

/// What the system clock follows, as far as it can be known: the kernel says whether it is
/// synchronized, but not by what.
#[derive(Debug, Default)]
struct ClockSync {
    known: SyncSource,
    ask_due: Mono,
    follows_phc: bool,
}

impl ClockSync {
    fn source(&mut self, now: Mono) -> SyncSource {
        self.known = if clock::discipline().synchronized {
            if now >= self.ask_due {
                self.ask_due = now + ASK_EVERY;
                self.follows_phc = clock::follows_phc();
            }
            if self.follows_phc {
                SyncSource::Ptp
            } else {
                SyncSource::Ntp
            }
        } else {
            SyncSource::Local
        };
        self.known
    }
}

#[cfg(test)]
impl HostView {
    /// Of a host without an address: all senders are other hosts. It stays so.
    pub(super) fn alone() -> Self {
        Self::of(&Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_is_of_one_host_as_it_is_listed() {
        let (one, other) = (HostView::new(), HostView::new());
        assert!(Arc::ptr_eq(one.host(), other.host()));
        assert!(one.host().has("127.0.0.1:9".parse().unwrap()));
    }

    #[test]
    fn a_view_takes_over_what_has_changed_and_nothing_else() {
        let mut view = HostView::alone();
        let before = Arc::clone(view.host());
        assert!(view.refresh() && !view.refresh());
        let own = "192.0.2.7:5".parse().unwrap();
        for changed in [true, false] {
            let host = Host::new([own], Vec::new(), [], SyncSource::Local);
            view.shared.replace(host);
            assert_eq!(view.refresh(), changed);
            assert!(!view.refresh());
        }
        assert!(view.host().has(own) && !before.has(own));
    }
}
