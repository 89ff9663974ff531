//! The configuration of `twinpath server` that corresponds to twampd's.

use zeroize::Zeroizing;

use super::config::Letters;
use super::networks::{Rule, is_everybody, permitted};
use super::policy::Class;
use super::{Config, PassphraseStore, Place, Policy, Remark};

/// Prefixes of a limits file at most.
const MOST_PREFIXES: usize = 10_000;
/// Control connections where twampd has no limit: the default of `--max-connections`.
const USUAL_CONNECTIONS: u32 = 1_000;
/// Iterations that `--pbkdf2-count` takes.
const ITERATIONS: std::ops::RangeInclusive<u32> = 1_024..=crate::args::MOST_PBKDF2_COUNT;

/// The configuration of a server.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// The lines of a file for `--limits`.
    pub(crate) limits: Vec<String>,
    /// A file for `--keys`; empty: no key.
    pub(crate) keys: Zeroizing<Vec<u8>>,
    /// The names of these keys.
    pub(crate) key_ids: Vec<String>,
    /// Its address and port.
    pub(crate) near: Option<String>,
    /// Further options, with their values.
    pub(crate) options: Vec<String>,
    /// What is otherwise than before.
    pub(crate) remarks: Vec<Remark>,
}

/// The whole configuration of twampd, translated. `store`: its passphrases and the name of their file. `aes`: identities with an
/// AES key.
///
/// # Errors
/// Why no server can come of it.
pub(crate) fn imported(
    config: &Config,
    policy: &Policy,
    store: Option<(&str, &PassphraseStore)>,
    aes: &[(Place, String)],
) -> Result<Imported, String> {
    let mut server = Imported::default();
    server.remarks.extend(config.remarks.iter().cloned());
    server.remarks.extend(policy.remarks.iter().cloned());
    server.keys(store, aes);
    server.access(config, policy)?;
    server.sessions(policy);
    server.classes(policy);
    server.connections(config);
    server.times_and_ports(config);
    Ok(server)
}

impl Imported {
    fn keys(&mut self, store: Option<(&str, &PassphraseStore)>, aes: &[(Place, String)]) {
        for (place, id) in aes {
            let text = format!(
                "the AES key of {id} is no passphrase, and left out; give {id} a passphrase in the file for --keys"
            );
            self.remarks.push(Remark::warning(place, text));
        }
        let Some((file, store)) = store else { return };
        let lines = store.0.iter().filter_map(|key| {
            let octets = key.passphrase.as_ref().ok()?;
            Some((key, octets))
        });
        let room = lines
            .clone()
            .map(|(key, octets)| key.id.len() + octets.len() + 2);
        // Not by growing, which leaves copies behind.
        self.keys.reserve_exact(room.sum());
        for (key, octets) in lines {
            self.keys.extend_from_slice(key.id.as_bytes());
            self.keys.push(b' ');
            self.keys.extend_from_slice(octets);
            self.keys.push(b'\n');
            self.key_ids.push(key.id.clone());
        }
        for key in &store.0 {
            if let Err(why) = key.passphrase {
                let place = Place {
                    file: file.to_owned(),
                    line: key.line,
                };
                let text = format!("{}: {why}; left out, give it another one", key.id);
                self.remarks.push(Remark::warning(&place, text));
            }
        }
    }

    /// Security modes, and the addresses that may come without a key.
    fn access(&mut self, config: &Config, policy: &Policy) -> Result<(), String> {
        let all = Letters {
            open: true,
            authenticated: true,
            encrypted: true,
        };
        let letters = config.modes.as_ref().map_or(all, |modes| modes.value);
        let is_secured = letters.authenticated || letters.encrypted;
        if !is_secured && !self.key_ids.is_empty() {
            let modes = config.modes.as_ref();
            self.remarks.extend(modes.map(|modes| {
                Remark::note(
                    &modes.place,
                    "authmode has open mode alone: keys are left out",
                )
            }));
            self.key_ids.clear();
            self.keys = Zeroizing::default();
        }
        let has_keys = !self.key_ids.is_empty();
        let default = policy.default_class().is_none_or(|class| class.allows_open);
        let rules: Vec<Rule> = policy
            .networks
            .iter()
            .filter_map(|net| Some((net.who, policy.classes.get(net.class)?.allows_open)))
            .collect();
        let addresses = permitted(&rules, default);
        let is_open = letters.open && !addresses.is_empty();
        if !is_open && !has_keys {
            return Err(
                "no client could use the server: open mode is off, and there is no key that can be used"
                    .to_owned(),
            );
        }
        if is_secured
            && !has_keys
            && let Some(modes) = &config.modes
        {
            let text = "no key that can be used: unauthenticated mode alone is offered";
            self.remarks.push(Remark::note(&modes.place, text));
        }
        if addresses.len() > MOST_PREFIXES {
            return Err(format!(
                "the networks come to more than {MOST_PREFIXES} prefixes of --allow: assign fewer"
            ));
        }
        if is_open && !is_everybody(&addresses) {
            self.limits
                .extend(addresses.iter().map(|net| format!("allow {net}")));
            if has_keys {
                self.remarks.push(Remark {
                    is_warning: true,
                    ..Remark::of_default(
                        "clients with a key come from the networks of allow only, not from any address as before; run \
                         a second server for the others, with --mode authenticated,encrypted and without allow",
                    )
                });
            }
        }
        if has_keys {
            let modes = [
                (letters.authenticated, "authenticated"),
                (letters.encrypted, "encrypted"),
                (is_open, "unauthenticated"),
            ];
            let names = modes.iter().filter(|(offered, _)| *offered);
            let names: Vec<&str> = names.map(|(_, name)| *name).collect();
            self.option("--mode", names.join(","));
            self.iterations(config);
        }
        Ok(())
    }

    fn iterations(&mut self, config: &Config) {
        let Some(given) = &config.iterations else {
            return;
        };
        let count = given.value.clamp(*ITERATIONS.start(), *ITERATIONS.end());
        if count < given.value {
            let text = format!("pbkdf2_count: {count} is the most that --pbkdf2-count takes");
            self.remarks.push(Remark::warning(&given.place, text));
        } else if count > given.value {
            let text = format!("pbkdf2_count: {count} is the least that --pbkdf2-count takes");
            self.remarks.push(Remark::note(&given.place, text));
        }
        self.option("--pbkdf2-count", count.to_string());
    }

    /// Sessions of a client: the fewest that a class has.
    fn sessions(&mut self, policy: &Policy) {
        let used = policy.used(&self.key_ids);
        let Some(fewest) = used.iter().filter_map(|class| class.sessions).min() else {
            self.remarks.push(Remark::of_default(
                "twampd limits no sessions here; twinpath server does by default: see max-sessions and \
                 max-sessions-per-client",
            ));
            return;
        };
        self.limits
            .push(format!("max-sessions-per-client {fewest}"));
        for class in &used {
            if class.sessions == Some(fewest) {
                let text = format!(
                    "test_sessions of class {}: max-sessions-per-client {fewest} counts those of a client, not of a \
                     connection",
                    class.name
                );
                self.remarks.push(Remark::note(&class.place, text));
            } else {
                let text = format!(
                    "class {} may have more sessions, but all clients have one limit: max-sessions-per-client {fewest}",
                    class.name
                );
                self.remarks.push(Remark::warning(&class.place, text));
            }
        }
    }

    /// Assignments without a meaning here.
    fn classes(&mut self, policy: &Policy) {
        for user in &policy.users {
            if !self.key_ids.contains(&user.who) {
                let text = format!("user {} has no key that can be used", user.who);
                self.remarks.push(Remark::note(&user.place, text));
            }
        }
        let used = policy.used(&self.key_ids);
        for class in &policy.classes {
            let is_used = class.is_parent || used.iter().any(|other| other.name == class.name);
            if !is_used {
                let text = format!("class {} has no client, and is left out", class.name);
                self.remarks.push(Remark::note(&class.place, text));
            }
        }
    }

    fn connections(&mut self, config: &Config) {
        let given = config.connections.as_ref();
        let limit = given.map(|given| given.value).filter(|count| *count > 0);
        let usual = limit.unwrap_or(USUAL_CONNECTIONS);
        self.limits.push(format!("max-connections {usual}"));
        if limit.is_none() {
            let text = format!("maxcontrolsessions has no limit; max-connections is {usual}");
            self.remarks.push(match given {
                Some(given) => Remark::note(&given.place, text),
                None => Remark::of_default(text),
            });
        }
    }

    fn times_and_ports(&mut self, config: &Config) {
        let times = [
            ("controltimeout", "--servwait", &config.control_timeout_s),
            ("testtimeout", "--refwait", &config.test_timeout_s),
        ];
        for (name, option, given) in times {
            match given {
                Some(given) if given.value == 0 => {
                    let text = format!("{name} 0 has no equivalent; {option} is 900 s by default");
                    self.remarks.push(Remark::note(&given.place, text));
                }
                Some(given) => self.option(option, given.value.to_string()),
                None => {}
            }
        }
        self.ports(config);
        self.near = config.near.as_ref().map(|near| near.value.clone());
    }

    fn ports(&mut self, config: &Config) {
        let given = config.test_ports.as_ref();
        if let Some((low, high)) = given.and_then(|given| given.value) {
            self.option("--test-ports", format!("{low}-{high}"));
            return;
        }
        let text = "testports 0 has no equivalent; --test-ports is 18760-19960 by default";
        self.remarks.push(match given {
            Some(given) => Remark::note(&given.place, text),
            None => Remark::of_default(text),
        });
    }

    fn option(&mut self, name: &str, value: String) {
        self.options.extend([name.to_owned(), value]);
    }
}

impl Policy {
    /// The class of clients without another: the root, where no default is assigned.
    fn default_class(&self) -> Option<&Class> {
        self.classes
            .get(self.default.as_ref().map_or(0, |it| it.class))
    }

    /// Classes that a client can be of. `keys`: the names of keys.
    fn used(&self, keys: &[String]) -> Vec<&Class> {
        let of_networks = self.networks.iter().map(|net| net.class);
        let users = self.users.iter().filter(|user| keys.contains(&user.who));
        // A user without an assignment is of the class of the same name.
        let is_of_user = |class: &&Class| keys.contains(&class.name);
        let assigned: Vec<usize> = of_networks.chain(users.map(|user| user.class)).collect();
        let mut used: Vec<&Class> = self.default_class().into_iter().collect();
        let others = (0..).zip(&self.classes);
        for (at, class) in others {
            let is_listed = used.iter().any(|other| other.name == class.name);
            if !is_listed && (assigned.contains(&at) || is_of_user(&class)) {
                used.push(class);
            }
        }
        used
    }
}

#[cfg(test)]
mod tests;
