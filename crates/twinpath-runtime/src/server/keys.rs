//! A Server's keys: derived before any connection needs them, so that no guess ever costs PBKDF2, and
//! derived again with a new Salt every hour (row TC-25).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use getrandom::Error;
use tracing::{debug, info, warn};
use twinpath_proto::security::{DerivedKey, InForce, KeyId, KeyTable};

use crate::error::{StartError, spawn};
use crate::keys::{Key, KeyRing};
use crate::random;

/// What other keys changed, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// New ones.
    pub added: Vec<KeyId>,
    /// Those with another passphrase than before.
    pub changed: Vec<KeyId>,
    /// Those that are there no more.
    pub removed: Vec<KeyId>,
    /// How many are as before.
    pub kept: usize,
}

/// A Server's shared secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(Arc<[Secret]>);

#[derive(Debug)]
struct Secret {
    key: Key,
    /// Shared by all tables that have its key.
    in_force: InForce,
}

impl Secrets {
    pub(super) fn of(ring: KeyRing) -> Self {
        let (secrets, _) = Self::default().replaced_by(ring);
        secrets
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that take the place of these. What is not among them, or has another passphrase there,
    /// opens no connection from now on, whenever that was greeted; what stays is in force
    /// throughout.
    fn replaced_by(&self, ring: KeyRing) -> (Self, KeyChanges) {
        let mut changes = KeyChanges::default();
        let mut gone: HashMap<KeyId, &Secret> = self
            .0
            .iter()
            .map(|secret| (secret.key.id, secret))
            .collect();
        let mut secret = |key: Key| {
            let in_force = match gone.remove(&key.id) {
                Some(old) if old.key.passphrase == key.passphrase => {
                    changes.kept += 1;
                    old.in_force.clone()
                }
                Some(old) => {
                    old.in_force.end();
                    changes.changed.push(key.id);
                    InForce::begin()
                }
                None => {
                    changes.added.push(key.id);
                    InForce::begin()
                }
            };
            Secret { key, in_force }
        };
        let new = ring.into_keys().into_iter().map(&mut secret).collect();
        for secret in gone.values() {
            secret.in_force.end();
        }
        changes.removed = gone.into_keys().collect();
        changes
            .removed
            .sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        (Self(new), changes)
    }
}

/// The keys in force. A connection that is greeted keeps the table that it was greeted with, and its
/// Salt, until it is set up.
#[derive(Debug)]
pub(super) struct Keys(Mutex<Arc<KeyTable>>);

impl Keys {
    pub(super) fn new(table: KeyTable) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arc::new(table))))
    }

    /// For a new connection.
    pub(super) fn now(&self) -> Arc<KeyTable> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, table: KeyTable) {
        let table = Arc::new(table);
        // The old ones are wiped when their last connection is over, not under the lock.
        let before = {
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *keys, table)
        };
        drop(before);
    }
}

/// Derives all keys, on all cores.
///
/// # Errors
/// The system has no random octets.
pub(super) fn derive_at_once(secrets: &Secrets, count: u32) -> Result<KeyTable, Error> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    derive(secrets, count, cores, &AtomicBool::new(false))
}

/// Derives all keys with a new Salt, as far as it is not given up.
fn derive(
    Secrets(secrets): &Secrets,
    count: u32,
    threads: usize,
    given_up: &AtomicBool,
) -> Result<KeyTable, Error> {
    let mut table = KeyTable::new(random::octets()?, count, random::octets()?);
    let salt = *table.salt();
    let next = AtomicUsize::new(0);
    let work = || {
        // Not to grow: that would leave copies behind.
        let mut derived: Vec<(&Secret, DerivedKey)> = Vec::with_capacity(secrets.len());
        while !given_up.load(Ordering::Relaxed)
            && let Some(secret) = secrets.get(next.fetch_add(1, Ordering::Relaxed))
        {
            derived.push((secret, secret.key.passphrase.derive(&salt, count)));
        }
        derived
    };
    std::thread::scope(|scope| {
        let helper = |_| {
            let builder = std::thread::Builder::new().name("keys".to_owned());
            // A system without threads left: fewer do it, this one at least.
            builder.spawn_scoped(scope, work).ok()
        };
        let most = threads.min(secrets.len());
        let helpers: Vec<_> = (1..most).filter_map(helper).collect();
        let own = work();
        let others = helpers.into_iter().filter_map(|helper| helper.join().ok());
        for (secret, key) in own.into_iter().chain(others.flatten()) {
            table.insert(secret.key.id, key, secret.in_force.clone());
        }
    });
    Ok(table)
}

/// Replaces the keys in force from time to time: a thread of its own, for which no connection and no
/// packet waits.
#[derive(Debug)]
pub(super) struct KeyRotation {
    /// The latest, derived or not.
    secrets: Mutex<Secrets>,
    changes: mpsc::Sender<Secrets>,
    given_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl KeyRotation {
    /// Renews `keys` every `life`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(
        keys: Arc<Keys>,
        secrets: Secrets,
        count: u32,
        life: Duration,
    ) -> Result<Self, StartError> {
        let (changes, new) = mpsc::channel();
        let first = secrets.clone();
        let given_up = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&given_up);
        let thread = spawn("keys", move || keep(&keys, first, count, life, &new, &over))?;
        Ok(Self {
            secrets: Mutex::new(secrets),
            changes,
            given_up,
            thread: Some(thread),
        })
    }

    /// Other keys are to be in force as soon as they are derived. Those that are gone are out of
    /// force when this returns.
    pub(super) fn replace(&self, ring: KeyRing) -> KeyChanges {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let (new, changes) = secrets.replaced_by(ring);
        *secrets = new;
        // Where its thread is gone, nothing is served any more either.
        let _ = self.changes.send(secrets.clone());
        changes
    }
}

impl Drop for KeyRotation {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        let (closed, _) = mpsc::channel();
        drop(std::mem::replace(&mut self.changes, closed));
        if let Some(thread) = self.thread.take() {
            // A key's derivation is a second at most. What it came to is of no interest.
            let _ = thread.join();
        }
    }
}

fn keep(
    keys: &Keys,
    mut secrets: Secrets,
    count: u32,
    life: Duration,
    latest: &mpsc::Receiver<Secrets>,
    given_up: &AtomicBool,
) {
    let mut due = Instant::now() + life;
    loop {
        let patience = due.saturating_duration_since(Instant::now());
        let changed = match latest.recv_timeout(patience) {
            Ok(new) => {
                // Of several, the last one counts.
                secrets = latest.try_iter().last().unwrap_or(new);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let table = derive(&secrets, count, 1, given_up);
        if given_up.load(Ordering::Relaxed) {
            return;
        }
        match table {
            Ok(table) => {
                let number = table.len();
                keys.replace(table);
                if changed {
                    info!(keys = number, "new keys are in force");
                } else {
                    debug!(keys = number, "the salt is renewed");
                }
            }
            Err(error) => warn!(%error, "no random octets for a new salt: keeping the old keys"),
        }
        due = Instant::now() + life;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::passphrase;

    /// Each key is its name, or its name and passphrase.
    fn ring(keys: &[&str]) -> KeyRing {
        let mut ring = KeyRing::default();
        for key in keys {
            let (id, secret) = key.split_once(' ').unwrap_or((key, "secret"));
            ring.insert(Key {
                id: KeyId::new(id).unwrap(),
                passphrase: passphrase(secret.into()).unwrap(),
            });
        }
        ring
    }

    fn secrets(keys: &[&str]) -> Secrets {
        Secrets::of(ring(keys))
    }

    #[test]
    fn all_keys_are_derived_whatever_the_number_of_threads() {
        let secrets = secrets(&["alice", "bob", "carol"]);
        for threads in [0, 1, 2, 8] {
            let table = derive(&secrets, 1_024, threads, &AtomicBool::new(false)).unwrap();
            assert_eq!((table.len(), table.count()), (3, 1_024));
        }
        let given_up = derive(&secrets, 1_024, 2, &AtomicBool::new(true)).unwrap();
        assert!(given_up.is_empty());
    }

    fn until(holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < end, "it never held");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_salt_is_renewed_and_who_was_greeted_keeps_the_old_one() {
        let secrets = secrets(&["alice"]);
        let keys = Keys::new(derive_at_once(&secrets, 1_024).unwrap());
        let greeted = keys.now();
        let salt = *greeted.salt();
        let life = Duration::from_millis(20);
        let rotation = KeyRotation::start(Arc::clone(&keys), secrets, 1_024, life).unwrap();
        until(|| *keys.now().salt() != salt);
        assert_eq!(*greeted.salt(), salt);
        assert_eq!(keys.now().len(), 1);
        drop(rotation);
    }

    #[test]
    fn what_other_keys_change_is_told_by_their_names() {
        let before = secrets(&["alice", "bob", "carol", "dave"]);
        let (after, changes) = before.replaced_by(ring(&["bob other", "alice", "erin"]));
        let ids = |names: &[&str]| -> Vec<KeyId> {
            let ids = names.iter().map(|name| KeyId::new(name).unwrap());
            ids.collect()
        };
        let expected = KeyChanges {
            added: ids(&["erin"]),
            changed: ids(&["bob"]),
            removed: ids(&["carol", "dave"]),
            kept: 1,
        };
        assert_eq!(changes, expected);
        let (_, changes) = after.replaced_by(ring(&["erin", "alice", "bob other"]));
        let kept = KeyChanges {
            kept: 3,
            ..KeyChanges::default()
        };
        assert_eq!(changes, kept);
    }

    #[test]
    fn other_keys_are_in_force_once_they_are_derived() {
        let secrets = secrets(&["alice"]);
        let keys = Keys::new(derive_at_once(&secrets, 1_024).unwrap());
        let life = Duration::from_hours(1);
        let rotation = KeyRotation::start(Arc::clone(&keys), secrets, 1_024, life).unwrap();
        rotation.replace(ring(&["alice", "bob"]));
        until(|| keys.now().len() == 2);
        rotation.replace(ring(&["bob"]));
        rotation.replace(ring(&["alice", "bob", "carol"]));
        until(|| keys.now().len() == 3);
    }
}
