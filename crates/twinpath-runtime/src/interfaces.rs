//! Interfaces that sockets are bound to, by name.
//!
//! A socket is bound to an interface's number, and so is an address with a zone. An interface that is
//! deleted and made again (PPPoE, VPN, bond) has the same name and another number: what was bound to
//! it would neither send nor receive for ever. One thread of this process looks at the names, some
//! times a second; who owns a socket asks it and binds again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tracing::{debug, error, warn};
use twinpath_net::{Device, interface};
use twinpath_wire::Mono;

/// How often the names are looked at, and how often who owns a socket should ask.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Numbers of before that are remembered with their names, for what is still to be printed.
const REMEMBERED: usize = 64;

/// An interface that is watched.
#[derive(Debug)]
struct Interface {
    name: String,
    /// Its number; 0: it is gone.
    index: AtomicU32,
}

impl Interface {
    /// It has this number now.
    fn record(&self, now: u32) {
        let interface = self.name.as_str();
        match self.index.swap(now, Ordering::AcqRel) {
            before if before == now => {}
            0 => warn!(interface, "interface is back: binding to it again"),
            _ => warn!(interface, "interface was recreated: binding to it again"),
        }
    }
}

/// The interfaces of this process's sockets.
#[derive(Debug)]
struct Watch {
    interfaces: Vec<Weak<Interface>>,
    /// A thread looks at them.
    is_running: bool,
    remembered: Vec<(u32, String)>,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    interfaces: Vec::new(),
    is_running: false,
    remembered: Vec::new(),
});

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name that the interface with this number had when it was last seen.
pub(crate) fn remembered(index: u32) -> Option<String> {
    let watch = watch();
    let mut seen = watch.remembered.iter().rev();
    let (_, name) = seen.find(|(seen, _)| *seen == index)?;
    Some(name.clone())
}

impl Watch {
    fn remember(&mut self, index: u32, name: &str) {
        self.remembered.retain(|(seen, _)| *seen != index);
        if self.remembered.len() >= REMEMBERED {
            self.remembered.remove(0);
        }
        self.remembered.push((index, name.to_owned()));
    }

    /// The interface, watched from now on.
    fn add(&mut self, device: &Device) -> Arc<Interface> {
        self.remember(device.index, &device.name);
        let mut known = self.interfaces.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|known| known.name == device.name) {
            // A new socket may find it before the thread that watches it.
            known.record(device.index);
            return known;
        }
        let interface = Arc::new(Interface {
            name: device.name.clone(),
            index: AtomicU32::new(device.index),
        });
        self.interfaces.push(Arc::downgrade(&interface));
        if !self.is_running {
            let thread = std::thread::Builder::new().name("interfaces".to_owned());
            match thread.spawn(look_at_all) {
                Ok(_) => self.is_running = true,
                Err(error) => error!(
                    interface = device.name,
                    %error,
                    "cannot start the thread that watches the interface: if it is recreated, it is not bound again"
                ),
            }
        }
        interface
    }
}

/// The watching thread, until nothing is left to watch.
fn look_at_all() {
    // What each was last seen as, by name: a number under another name is a renamed interface.
    let mut renamed: Vec<String> = Vec::new();
    loop {
        std::thread::sleep(LOOK_EVERY);
        let all: Vec<Arc<Interface>> = {
            let mut watch = watch();
            watch.interfaces.retain(|one| one.strong_count() > 0);
            if watch.interfaces.is_empty() {
                watch.is_running = false;
                return;
            }
            watch.interfaces.iter().filter_map(Weak::upgrade).collect()
        };
        for one in all {
            look_at(&one, &mut renamed);
        }
    }
}

fn look_at(one: &Interface, renamed: &mut Vec<String>) {
    let name = one.name.as_str();
    let before = one.index.load(Ordering::Acquire);
    match (before, interface::index_of(name)) {
        (0, None) => {}
        (before, Some(now)) if now == before => renamed.retain(|known| known != name),
        (_, Some(now)) => {
            renamed.retain(|known| known != name);
            watch().remember(now, name);
            one.record(now);
        }
        (before, None) => {
            if let Some(now) = interface::name_of(before) {
                // The same interface still, and sockets stay with it.
                if !renamed.iter().any(|known| known == name) {
                    renamed.push(name.to_owned());
                    warn!(
                        interface = name,
                        now, "interface was renamed: keeping it until another takes the old name"
                    );
                }
            } else {
                one.index.store(0, Ordering::Release);
                warn!(
                    interface = name,
                    "interface is gone: no packets until it is back"
                );
            }
        }
    }
}

/// A socket, or an address with a zone, and the interface that it belongs to.
#[derive(Debug)]
pub(crate) struct FollowedInterface {
    interface: Arc<Interface>,
    /// The number that it is bound to.
    bound: u32,
    next_try: Mono,
    is_logged: bool,
}

impl FollowedInterface {
    pub(crate) fn of(device: &Device) -> Self {
        Self {
            interface: watch().add(device),
            bound: device.index,
            next_try: Mono::from_ns(0),
            is_logged: false,
        }
    }

    /// The number that it is bound to.
    pub(crate) fn bound(&self) -> u32 {
        self.bound
    }

    pub(crate) fn name(&self) -> &str {
        &self.interface.name
    }

    /// The number that the interface has now, where it is another one than that bound to, and it is
    /// time to bind to it.
    pub(crate) fn moved(&self, now: Mono) -> Option<u32> {
        let index = self.interface.index.load(Ordering::Acquire);
        (index != 0 && index != self.bound && now >= self.next_try).then_some(index)
    }

    /// It is bound to `index` now, or it could not be: said once, and tried again.
    pub(crate) fn record_binding<E: std::fmt::Display>(
        &mut self,
        index: u32,
        now: Mono,
        result: Result<(), E>,
    ) -> bool {
        match result {
            Ok(()) => {
                self.bound = index;
                self.is_logged = false;
                let interface = self.name();
                debug!(interface, index, "bound to the interface again");
                true
            }
            Err(error) => {
                self.next_try = now + LOOK_EVERY;
                if !std::mem::replace(&mut self.is_logged, true) {
                    let interface = self.name();
                    warn!(interface, %error, "cannot bind to the interface again: retrying");
                }
                false
            }
        }
    }
}

/// An address of the zone `before` is one of the zone `now`.
pub(crate) fn set_zone(address: &mut SocketAddr, before: u32, now: u32) {
    if let SocketAddr::V6(address) = address
        && address.scope_id() == before
    {
        address.set_scope_id(now);
    }
}
