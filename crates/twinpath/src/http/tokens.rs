//! The tokens by which users are known.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use twinpath_runtime::keys::KeyFile;
use zeroize::Zeroizing;

use crate::failure::Failure;

use super::access::secret_file;

/// Characters of a token.
const LEAST: usize = 16;
const MOST: usize = 256;
/// Octets of a name.
const MOST_NAME: usize = 64;

/// The tokens of a file, `NAME TOKEN` a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens(Vec<(Digested, Arc<str>)>);

/// The SHA-256 of a token, and its name.
type Digested = [u8; 32];

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenFault {
    #[error("not NAME TOKEN: write a name, a space and a token")]
    Form,
    #[error("a name has 1 to 64 octets of UTF-8 without a colon or control characters")]
    Name,
    #[error("a token of less than 16 characters: make one with openssl rand -hex 32")]
    Short,
    #[error(
        "a token of more than 256 characters, or of others than visible ones of ASCII: make one with openssl rand -hex 32"
    )]
    Characters,
    #[error("the same token as in line {0}: make another with openssl rand -hex 32")]
    Twice(usize),
}

impl KeyFile for Tokens {
    type Fault = TokenFault;
    const MOST_OCTETS: usize = 65_536;

    fn parse(text: &[u8]) -> Result<Self, (usize, TokenFault)> {
        let mut known: HashMap<Digested, usize> = HashMap::new();
        let mut tokens = Vec::new();
        for (number, line) in (1..).zip(text.split(|octet| *octet == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (name, token) = token(line).map_err(|fault| (number, fault))?;
            if let Some(first) = known.insert(token, number) {
                return Err((number, TokenFault::Twice(first)));
            }
            tokens.push((token, name));
        }
        Ok(Self(tokens))
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

fn token(line: &[u8]) -> Result<(Arc<str>, Digested), TokenFault> {
    let mut words = line.split(u8::is_ascii_whitespace);
    let mut words = words.by_ref().filter(|word| !word.is_empty());
    let (Some(name), Some(token), None) = (words.next(), words.next(), words.next()) else {
        return Err(TokenFault::Form);
    };
    let name = str::from_utf8(name).map_err(|_| TokenFault::Name)?;
    if name.len() > MOST_NAME || name.contains(|c: char| c == ':' || c.is_control()) {
        return Err(TokenFault::Name);
    }
    if token.len() < LEAST {
        return Err(TokenFault::Short);
    }
    if token.len() > MOST || !token.iter().all(u8::is_ascii_graphic) {
        return Err(TokenFault::Characters);
    }
    Ok((name.into(), digest(token)))
}

fn digest(token: &[u8]) -> Digested {
    Sha256::digest(token).into()
}

impl Tokens {
    /// Reads a file of them, which other users must not be able to read.
    ///
    /// # Errors
    /// What is wrong with it, by its line, without any token.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let form = "write NAME TOKEN, one a line, with a token of openssl rand -hex 32";
        secret_file(path, form)
    }

    /// The user whose token a field `Authorization` has: `Bearer TOKEN`, or `Basic` with NAME:TOKEN.
    pub(super) fn user(&self, authorization: &HeaderValue) -> Option<Arc<str>> {
        let octets = authorization.as_bytes();
        let space = octets.iter().position(|octet| *octet == b' ')?;
        let (scheme, rest) = octets.split_at_checked(space)?;
        let rest = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.named(rest, None);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let pair = Zeroizing::new(STANDARD.decode(rest).ok()?);
        let colon = pair.iter().position(|octet| *octet == b':')?;
        let (name, token) = pair.split_at_checked(colon)?;
        self.named(token.get(1..)?, Some(name))
    }

    /// All are compared, so that the time it takes says nothing of them.
    fn named(&self, token: &[u8], name: Option<&[u8]>) -> Option<Arc<str>> {
        let given = digest(token);
        let mut found = None;
        for (digest, user) in &self.0 {
            if bool::from(digest.ct_eq(&given)) {
                found = Some(user);
            }
        }
        let found = found.filter(|user| name.is_none_or(|name| name == user.as_bytes()));
        found.map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# who may ask\n\nalice 0123456789abcdef\r\nbob\t fedcba9876543210==\n";

    #[test]
    fn a_user_is_known_by_the_token_and_in_a_browser_by_both() {
        let tokens = Tokens::parse(FILE.as_bytes()).unwrap();
        assert_eq!(tokens.count(), 2);
        let user = |field: &str| tokens.user(&field.parse().unwrap());
        let basic = |pair: &str| user(&format!("Basic {}", STANDARD.encode(pair)));
        for known in [
            user("Bearer 0123456789abcdef"),
            user("bearer  0123456789abcdef"),
            basic("alice:0123456789abcdef"),
        ] {
            assert_eq!(known.as_deref(), Some("alice"));
        }
        let bob = user("Bearer fedcba9876543210==");
        assert_eq!(bob.as_deref(), Some("bob"));
        for unknown in [
            user("Bearer 0123456789abcdeF"),
            user("Bearer 0123456789abcde"),
            user("Bearer "),
            user("Bearer"),
            user("0123456789abcdef"),
            user("Digest 0123456789abcdef"),
            user("Basic 0123456789abcdef"),
            user("Basic ==="),
            basic("bob:0123456789abcdef"),
            basic("alice"),
            basic(":0123456789abcdef"),
        ] {
            assert_eq!(unknown, None);
        }
    }

    #[test]
    fn a_fault_has_its_line_and_never_the_token() {
        let long = format!("alice {}", "x".repeat(257));
        for (text, line, fault) in [
            ("alice", 1, TokenFault::Form),
            ("\n#\nalice 0123456789abcdef x", 3, TokenFault::Form),
            ("a:b 0123456789abcdef", 1, TokenFault::Name),
            ("alice 0123456789abcde", 1, TokenFault::Short),
            ("alice 0123456789abcde\u{e4}", 1, TokenFault::Characters),
            (&long, 1, TokenFault::Characters),
            (
                "alice 0123456789abcdef\nbob 0123456789abcdef",
                2,
                TokenFault::Twice(1),
            ),
        ] {
            assert_eq!(Tokens::parse(text.as_bytes()), Err((line, fault)), "{text}");
            assert!(!fault.to_string().contains("0123456789"), "{fault}");
        }
        assert_eq!(
            Tokens::parse(b"\xff 0123456789abcdef"),
            Err((1, TokenFault::Name))
        );
        // One name may have several.
        let both = b"alice 0123456789abcdef\nalice 1123456789abcdef";
        assert_eq!(Tokens::parse(both).unwrap().count(), 2);
    }
}
