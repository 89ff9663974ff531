//! What is to be examined.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

#[cfg(feature = "control")]
use super::EnvironmentPassphrase;
#[cfg(feature = "control")]
use super::control::key;
use super::ends::{one_host, usable};
use super::key_file::{any_stamp_keys, stamp_keys};
use super::resolve::{Family, Lookup, in_zone, resolve};
#[cfg(feature = "control")]
use crate::args::CUSTOMARY_PBKDF2_COUNT;
use crate::args::DoctorArgs;
use crate::doctor::{FarEndPlan, Keys, MOST_ADDRESSES};
use crate::failure::{Exit, Failure};

/// The far end, its addresses, and the keys.
///
/// # Errors
/// It has none that can be examined.
pub(crate) fn doctor(
    args: &DoctorArgs,
    #[cfg(feature = "control")] given: EnvironmentPassphrase,
    lookup: Lookup<'_>,
) -> Result<FarEndPlan, Failure> {
    let family = Family::only(args.ipv4, args.ipv6);
    let all = resolve(&args.far.host, 0, family, lookup)?;
    let each = all.into_iter().map(|far| {
        let far = in_zone(far, None, lookup)?;
        one_host(far.ip()).map(|()| far)
    });
    let mut addresses = usable(each)?;
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    if !args.yes && !args.dry_run {
        if args.strict {
            only_near(&addresses, "--strict sends malformed and hostile packets")?;
        }
        if let Some(rate) = args.stress {
            let what = format!("--stress sends up to {rate} packets a second");
            only_near(&addresses, &what)?;
        }
    }
    let keys = keys(
        args,
        #[cfg(feature = "control")]
        given,
    );
    // Status 1 says that nothing answers.
    let keys = keys.map_err(|failure| Failure {
        exit: Exit::Usage,
        ..failure
    })?;
    let mut host = args.far.host.to_string();
    if host.contains(':') {
        host = format!("[{host}]");
    }
    let port = args.far.port;
    let name = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Ok(FarEndPlan {
        name,
        host,
        addresses,
        port: args.far.port,
        keys,
    })
}

/// The keys, and the options that name them.
fn keys(
    args: &DoctorArgs,
    #[cfg(feature = "control")] given: EnvironmentPassphrase,
) -> Result<Keys, Failure> {
    let options = &args.hmac_keys;
    let file = options.hmac_key_file.as_ref();
    let insecure = if options.insecure_key_file {
        " --insecure-key-file"
    } else {
        ""
    };
    let stamp_option = match (&options.hmac_key, file) {
        // A command line shows nothing secret.
        (Some(_), _) => " --hmac-key HEX".to_owned(),
        (None, Some(path)) => format!(" --hmac-key-file {}{insecure}", for_shell(path)),
        (None, None) => String::new(),
    };
    #[cfg(feature = "control")]
    let is_of_control = args.key().file.keys.is_some();
    #[cfg(not(feature = "control"))]
    let is_of_control = false;
    // --insecure-key-file may be about --keys alone.
    let stamp = if is_of_control {
        any_stamp_keys(options)?
    } else {
        stamp_keys(options)?
    };
    let keys = Keys::default().with_stamp(Arc::new(stamp), stamp_option);
    #[cfg(feature = "control")]
    let keys = {
        let mut keys = keys;
        let options = args.key();
        let has_key = options.file.keys.is_some() || options.key_id.is_some();
        if !has_key && options.max_pbkdf2_count.is_some() {
            return Err(Failure::usage(
                "--max-pbkdf2-count needs a key: use --keys FILE or --key-id NAME, or leave it out",
            ));
        }
        if has_key {
            let file = options.file.keys.as_ref();
            let file = file.map(|path| format!(" --keys {}{insecure}", for_shell(path)));
            let id = options
                .key_id
                .map(|id| format!(" --key-id {}", for_shell(id.as_str())));
            let count = options.max_pbkdf2_count;
            let count = count.map(|count| format!(" --max-pbkdf2-count {count}"));
            keys.control_options = [file, id, count].into_iter().flatten().collect();
            keys.control = Some(key(&options, given)?);
        }
        keys.most_pbkdf2_count = options.max_pbkdf2_count.unwrap_or(CUSTOMARY_PBKDF2_COUNT);
        keys
    };
    Ok(keys)
}

/// A word of a command line, in quotes where a shell needs them.
fn for_shell(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What may harm goes to a network of one's own, unless the user says so.
fn only_near(addresses: &[SocketAddr], what: &str) -> Result<(), Failure> {
    let mut each = addresses.iter().map(|far| far.ip().to_canonical());
    match each.find(|address| !is_near(*address)) {
        None => Ok(()),
        Some(far) => Err(Failure::usage(format!(
            "{what}, and {far} is neither loopback nor a private address"
        ))
        .with_remedy(Some("add --yes if its operator agrees"))),
    }
}

/// Loopback, private (RFC 1918), unique local or link-local.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_ones_own_network_are_near() {
        for (address, near) in [
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.7.7", true),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("fec0::1", false),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
        ] {
            let far = SocketAddr::new(address.parse().unwrap(), 862);
            assert_eq!(only_near(&[far], "").is_ok(), near, "{address}");
        }
    }

    #[test]
    fn a_word_of_a_command_line_is_one_word_for_a_shell() {
        for (word, quoted) in [
            ("/etc/twinpath/keys-1", "/etc/twinpath/keys-1"),
            ("my keys", "'my keys'"),
            ("it's", r"'it'\''s'"),
            ("$HOME/k", "'$HOME/k'"),
            ("~/k", "'~/k'"),
            ("", "''"),
        ] {
            assert_eq!(for_shell(word), quoted);
        }
    }

    #[test]
    fn one_public_address_of_a_name_is_enough_to_ask() {
        let both = ["127.0.0.1:862", "192.0.2.1:862"].map(|far| far.parse().unwrap());
        let failure = only_near(&both, "").unwrap_err();
        assert!(failure.line.contains("192.0.2.1"), "{failure:?}");
        assert_eq!(failure.exit, Exit::Usage);
    }
}
