//! Unpredictable octets, from the system. Where it has none, nothing is made up.

use getrandom::Error;
#[cfg(feature = "control")]
use twinpath_proto::control::Nonces;

/// For a new connection.
///
/// # Errors
/// The system has no source of them.
#[cfg(feature = "control")]
pub(crate) fn nonces() -> Result<Nonces, Error> {
    Ok(Nonces {
        challenge: octets()?,
        server_iv: octets()?,
    })
}

/// For a new session.
///
/// # Errors
/// As [`nonces`].
#[cfg(feature = "control")]
pub(crate) fn number() -> Result<u32, Error> {
    octets().map(u32::from_ne_bytes)
}

/// `N` of them.
///
/// # Errors
/// The system has no source of them.
pub(crate) fn octets<const N: usize>() -> Result<[u8; N], Error> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_connections_get_the_same_octets() {
        let (one, two) = (nonces().unwrap(), nonces().unwrap());
        assert_ne!(one.challenge, two.challenge);
        assert_ne!(one.server_iv, two.server_iv);
        assert_ne!(one.server_iv, one.challenge);
        assert_ne!(one.challenge[..8], one.challenge[8..]);
    }
}
