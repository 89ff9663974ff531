//! Tokens and passwords that requests have.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use twinpath_runtime::keys::KeyFile;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::http::secret_file;

const FORM: &str = "write the token alone, in one line";

/// The content of a file with a token.
#[derive(Debug)]
pub(super) struct Token(Zeroizing<String>);

/// What is wrong with such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token: write it alone, in one line of visible ASCII characters")]
pub(super) struct TokenFault;

impl KeyFile for Token {
    type Fault = TokenFault;
    const MOST_OCTETS: usize = 16_384;

    fn parse(text: &[u8]) -> Result<Self, (usize, TokenFault)> {
        let token = text.trim_ascii();
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err((1, TokenFault));
        }
        let token = String::from_utf8_lossy(token).into_owned();
        Ok(Self(Zeroizing::new(token)))
    }

    fn count(&self) -> usize {
        usize::from(!self.0.is_empty())
    }
}

impl Token {
    /// Reads a file, which other users must not be able to read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        secret_file(path, FORM)
    }
}

/// The field `Authorization`, by the file of the token as it is now: a bearer's token (RFC 6750), or with a user a
/// password (RFC 7617).
///
/// # Errors
/// The file cannot be used.
pub(super) fn authorization(
    user: Option<&str>,
    token: Option<&Path>,
) -> Result<Option<HeaderValue>, Failure> {
    let token = token.map(Token::read).transpose()?;
    let value = match (user, &token) {
        (None, None) => return Ok(None),
        (None, Some(Token(token))) => Zeroizing::new(format!("Bearer {}", **token)),
        (Some(user), token) => {
            let password = token.as_ref().map_or("", |Token(token)| token);
            let pair = Zeroizing::new(format!("{user}:{password}"));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        }
    };
    // Both are of visible characters.
    let value = HeaderValue::from_str(&value);
    let mut value = value.map_err(|error| Failure::could_not(error.to_string()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Readers, write_new};

    #[test]
    fn a_token_alone_is_a_bearers_and_with_a_user_a_password() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        write_new(&path, b"secret\n", Readers::Owner, false).unwrap();
        let field = |user| authorization(user, Some(&path)).unwrap().unwrap();
        assert_eq!(field(None), "Bearer secret");
        // RFC 7617: the user, a colon and the password in base64.
        assert_eq!(field(Some("Aladdin")), "Basic QWxhZGRpbjpzZWNyZXQ=");
        assert_eq!(authorization(None, None).unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        assert!(authorization(None, Some(&path)).is_err());
    }
}
