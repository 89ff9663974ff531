//! Signatures of minisign.

use minisign_verify::{Error, PublicKey, Signature};

/// Octets of a file of a signature, at most.
pub(super) const MOST_OCTETS: usize = 4 << 10;

/// Whether a text is a public key.
///
/// # Errors
/// What to write instead.
pub(in crate::daemon) fn check_key(text: &str) -> Result<(), String> {
    let key = PublicKey::from_base64(text);
    key.map(|_| ())
        .map_err(|_| "use the second line of a public key file of minisign".to_owned())
}

/// Whether the owner of this key signed these octets, with their hash (as minisign does without -l).
///
/// # Errors
/// What is wrong with the signature.
pub(super) fn verify(key: &str, octets: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = PublicKey::from_base64(key).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(signature);
    let text = text.map_err(|_| "the signature is not a text of minisign".to_owned())?;
    let signature = Signature::decode(text);
    let signature = signature.map_err(|_| "the signature is not a text of minisign".to_owned())?;
    let verified = key.verify(octets, &signature, false);
    verified.map_err(|error| {
        let what = match error {
            Error::UnexpectedKeyId => "the document is signed with another key",
            Error::UnexpectedAlgorithm => "the signature is of the legacy form: sign without -l",
            Error::InvalidEncoding
            | Error::InvalidSignature
            | Error::IoError(_)
            | Error::UnsupportedAlgorithm
            | Error::UnsupportedLegacyMode => "the signature does not fit the document",
        };
        what.to_owned()
    })
}

#[cfg(test)]
mod tests;
