//! From the options about keys to keys: reads files and reports what is missing.

use std::io::{self, IsTerminal as _};

use twinpath_proto::security::{KeyId, Passphrase};
use twinpath_runtime::keys::{self, Key, KeyRing, PassphraseError};
use twinpath_wire::control::{Modes, SecurityMode};

use crate::args::{Command, ControlOptions, KeyOptions, ServerArgs};
use crate::failure::Failure;

use crate::plan::{PASSPHRASE, key_file};

/// The passphrase from the environment, from which it is removed.
#[derive(Debug, Default)]
pub(crate) struct EnvironmentPassphrase(Option<Result<Passphrase, PassphraseError>>);

impl EnvironmentPassphrase {
    /// Takes it, whatever the command; one that has no use for it does not get it. For a process that
    /// has no other thread yet.
    pub(crate) fn take_for(command: &Command) -> Self {
        let taken = keys::from_environment(PASSPHRASE).transpose();
        let is_check = matches!(command, Command::Check(args) if args.is_controlled());
        let has_use = is_check || matches!(command, Command::Control(_) | Command::Doctor(_));
        Self(taken.filter(|_| has_use))
    }

    /// That a client has no use for it, and why.
    pub(crate) fn unused_by_client(&self, options: &KeyOptions) -> Option<String> {
        match (&options.file.keys, options.key_id) {
            (Some(_), _) => self.unused("the passphrase is that of --keys"),
            (None, None) => self.unused("give the name of its key: --key-id NAME"),
            (None, Some(_)) => None,
        }
    }

    /// That a Server has no use for it, and why. It is wiped.
    pub(crate) fn unused_by_server(self) -> Option<String> {
        self.unused("a server reads its passphrases from a file: --keys")
    }

    fn unused(&self, why: &str) -> Option<String> {
        let is_set = !matches!(self.0, None | Some(Err(PassphraseError::Empty)));
        is_set.then(|| format!("TWINPATH_PASSPHRASE is not used: {why}"))
    }
}

/// Modes in the order in which a client with a key chooses (row TC-10).
pub(super) const BY_STRENGTH: [SecurityMode; 4] = [
    SecurityMode::Encrypted,
    SecurityMode::Authenticated,
    SecurityMode::Mixed,
    SecurityMode::Unauthenticated,
];
/// Those in which somebody else can send the packets, who has no keys.
pub(super) const FOR_OTHERS: [SecurityMode; 2] =
    [SecurityMode::Mixed, SecurityMode::Unauthenticated];

/// How a control connection is to be secured.
#[derive(Clone, Debug)]
pub(super) struct Protection {
    /// The first of these that is offered.
    pub(super) security: Vec<SecurityMode>,
    pub(super) key: Option<Key>,
}

/// What a client wants of the modes that it is `able` to use, and with which key (row TC-10).
///
/// # Errors
/// A mode without a key or a key without a mode, an unusable file of keys, or no passphrase.
pub(super) fn wanted(
    options: &ControlOptions,
    given: EnvironmentPassphrase,
    able: &[SecurityMode],
) -> Result<Protection, Failure> {
    let has_key = options.key.file.keys.is_some() || options.key.key_id.is_some();
    let security = match options.mode {
        Some(mode) if !able.contains(&mode) => {
            return Err(Failure::usage(format!(
                "--mode {} is not possible here: the sender on the other host cannot get the session's keys; use mixed or unauthenticated",
                mode.name()
            )));
        }
        Some(mode) if is_secured(mode) && !has_key => {
            return Err(Failure::usage(format!(
                "--mode {} needs a key: use --keys FILE, or --key-id NAME with the passphrase in \
                 TWINPATH_PASSPHRASE or from the terminal",
                mode.name()
            )));
        }
        Some(mode) if !is_secured(mode) && has_key => {
            return Err(Failure::usage(
                "--mode unauthenticated uses no key: leave out --keys and --key-id, or use another mode",
            ));
        }
        _ if !has_key && options.key.max_pbkdf2_count.is_some() => {
            return Err(Failure::usage(
                "--max-pbkdf2-count needs a key: use --keys FILE or --key-id NAME, or leave it out",
            ));
        }
        Some(mode) => vec![mode],
        None if has_key => able.to_vec(),
        None => vec![SecurityMode::Unauthenticated],
    };
    let key = if has_key {
        Some(key(&options.key, given)?)
    } else {
        None
    };
    Ok(Protection { security, key })
}

/// From the file, the environment or the terminal.
///
/// # Errors
/// An unusable file of keys, or no passphrase.
pub(in crate::plan) fn key(
    options: &KeyOptions,
    given: EnvironmentPassphrase,
) -> Result<Key, Failure> {
    let id = options.key_id.as_ref();
    if let Some(path) = &options.file.keys {
        let ring = key_file::<KeyRing>(path, options.file.insecure_key_file)?;
        let found = id.map_or_else(|| ring.only(), |id| ring.find(id));
        return found.cloned().ok_or_else(|| match id {
            Some(id) => Failure::could_not(format!("{} has no key {id}", path.display()))
                .with_remedy(Some("see its lines, each begins with a Key-ID")),
            None => Failure::usage(format!(
                "{} has {} keys: choose one with --key-id",
                path.display(),
                ring.len()
            )),
        });
    }
    let id = id.ok_or_else(|| Failure::usage("--key-id is missing"))?;
    let passphrase = match given.0 {
        Some(Ok(passphrase)) => passphrase,
        Some(Err(error)) => {
            return Err(Failure::could_not(format!("TWINPATH_PASSPHRASE: {error}")));
        }
        None => ask(id)?,
    };
    Ok(Key {
        id: *id,
        passphrase,
    })
}

/// Asks the user.
fn ask(id: &KeyId) -> Result<Passphrase, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "no passphrase for {id}, and no terminal to ask for it: use --keys FILE, or put it into \
             TWINPATH_PASSPHRASE"
        )));
    }
    let typed = rpassword::prompt_password(format!("Passphrase of {id}: "))
        .map_err(|error| Failure::could_not(format!("cannot read a passphrase: {error}")))?;
    keys::passphrase(typed.into_bytes())
        .map_err(|error: PassphraseError| Failure::could_not(error.to_string()))
}

/// What a Server offers to which clients (row TC-10).
///
/// # Errors
/// Modes that need keys without any, keys that no mode needs, or an unusable file of keys.
pub(super) fn offered(args: &ServerArgs) -> Result<(Modes, KeyRing), Failure> {
    let named = args.mode.iter().map(|mode| mode.modes());
    let named = named.fold(Modes::default(), |modes, mode| modes | mode);
    let secured = !named.and(Modes::SECURED).is_empty();
    let insecure = args.keys.insecure_key_file;
    match (&args.keys.keys, args.mode.as_slice()) {
        (None, []) => Ok((Modes::UNAUTHENTICATED, KeyRing::default())),
        (None, modes) if secured => {
            let mode = modes.iter().find(|mode| is_secured(**mode));
            Err(Failure::usage(format!(
                "--mode {} needs keys: use --keys FILE",
                mode.map_or("", |mode| mode.name())
            )))
        }
        (None, _) => Ok((named, KeyRing::default())),
        (Some(path), []) => Ok((Modes::SECURED, key_file(path, insecure)?)),
        (Some(path), _) if secured => Ok((named, key_file(path, insecure)?)),
        (Some(_), _) => Err(Failure::usage(
            "--keys is for the secured modes: use --mode authenticated,encrypted,mixed, or leave out --mode",
        )),
    }
}

fn is_secured(mode: SecurityMode) -> bool {
    mode != SecurityMode::Unauthenticated
}
