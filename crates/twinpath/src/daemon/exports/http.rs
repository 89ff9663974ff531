//! Requests to a server.

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use twinpath_report::words::is_plain;
use twinpath_runtime::keys::KeyFile;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::http::secret_file;

/// Octets of an answer that are read, and characters that are shown.
const MOST_ANSWER: usize = 64 << 10;
const MOST_SHOWN: usize = 300;
const FORM: &str = "write the token alone, in one line";

/// Where requests go, and what is sent to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct Endpoint {
    uri: Uri,
    /// The file of a token, or of a password.
    token: Option<PathBuf>,
    user: Option<String>,
}

/// The content of a file with a token.
#[derive(Debug)]
struct Token(Zeroizing<String>);

/// What is wrong with such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token: write it alone, in one line of visible ASCII characters")]
struct TokenFault;

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

impl fmt::Display for Endpoint {
    /// Without its query, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |it| it.as_str());
        write!(f, "http://{authority}{}", self.uri.path())
    }
}

impl Endpoint {
    /// A server.
    ///
    /// # Errors
    /// What to write instead.
    pub(in crate::daemon) fn parse(
        url: &str,
        token: Option<PathBuf>,
        user: Option<&str>,
    ) -> Result<Self, String> {
        let advice = "write http://HOST:PORT/PATH";
        let uri: Uri = url.parse().map_err(|_| format!("url {url}: {advice}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(format!(
                    "url {url}: https is not supported: {advice}, of a relay on this host if it leaves the host"
                ));
            }
            Some(_) | None => return Err(format!("url {url}: {advice}")),
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') || uri.host().is_none_or(str::is_empty) {
            return Err(format!("url {url}: {advice}, and user and token beside it"));
        }
        Ok(Self {
            uri,
            token,
            user: user.map(str::to_owned),
        })
    }

    /// The same server, and a path that ends with this.
    pub(in crate::daemon) fn below(self, path: &str) -> Self {
        let own = self.uri.path().trim_end_matches('/');
        if own.ends_with(path) {
            return self;
        }
        let mut parts = self.uri.clone().into_parts();
        let query = self.uri.query().map(|query| format!("?{query}"));
        let target = format!("{own}{path}{}", query.unwrap_or_default());
        parts.path_and_query = target.parse().ok();
        match Uri::from_parts(parts) {
            Ok(uri) => Self { uri, ..self },
            Err(_) => self,
        }
    }

    /// What this host lacks for it.
    pub(super) fn lacks(&self) -> Option<Failure> {
        secret_file::<Token>(self.token.as_ref()?, FORM).err()
    }

    /// What is sent to be let in, by the file as it is now.
    fn authorization(&self) -> io::Result<Option<HeaderValue>> {
        let token = self.token.as_ref().map(|path| {
            let token = secret_file::<Token>(path, FORM);
            token.map_err(|failure| io::Error::other(failure.to_string()))
        });
        let token = token.transpose()?;
        let value = match (&self.user, &token) {
            (None, None) => return Ok(None),
            (None, Some(Token(token))) => Zeroizing::new(format!("Bearer {}", **token)),
            (Some(user), token) => {
                let password = token.as_ref().map_or("", |Token(token)| token);
                let pair = Zeroizing::new(format!("{user}:{password}"));
                Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
            }
        };
        let mut value = HeaderValue::from_str(&value).map_err(io::Error::other)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Posts a body once, with these parameters behind those of the address: the status, and the beginning of what it
    /// says.
    ///
    /// # Errors
    /// No answer came.
    pub(super) async fn post(
        &self,
        query: &str,
        fields: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> io::Result<(StatusCode, String)> {
        let authorization = self.authorization()?;
        let host = self.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.uri.port_u16().unwrap_or(80);
        let stream = TcpStream::connect((host, port)).await?;
        let both = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = both.map_err(io::Error::other)?;
        // It ends with the sender, and what went wrong the answer says too.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let authority = self.uri.authority().map_or(host, |it| it.as_str());
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.target(query))
            .header(HOST, authority)
            .header(CONNECTION, "close")
            .header(USER_AGENT, concat!("twinpath/", env!("CARGO_PKG_VERSION")));
        let all = fields.into_iter();
        for (name, value) in all.chain(authorization.map(|value| (AUTHORIZATION, value))) {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(io::Error::other)?;
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(io::Error::other)?.into_parts();
        let body = Limited::new(body, MOST_ANSWER).collect().await;
        let said = match body {
            Ok(body) => shown(&body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => String::new(),
            // An answer that breaks off says nothing.
            Err(error) => return Err(io::Error::other(error)),
        };
        Ok((head.status, said))
    }

    fn target(&self, query: &str) -> String {
        let path = self.uri.path();
        match (self.uri.query(), query) {
            (None, "") => path.to_owned(),
            (Some(own), "") => format!("{path}?{own}"),
            (None, query) => format!("{path}?{query}"),
            (Some(own), query) => format!("{path}?{own}&{query}"),
        }
    }
}

/// The beginning of an answer in one line.
fn shown(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let text = text.trim().chars().take(MOST_SHOWN);
    text.map(|c| if is_plain(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_plain_http_and_have_no_user() {
        for (url, said) in [
            ("https://host.example/", "https is not supported"),
            ("ftp://host.example/", "write http://"),
            ("http://", "write http://"),
            ("http://user:word@host.example/", "user and token beside"),
        ] {
            let error = Endpoint::parse(url, None, None).unwrap_err();
            assert!(error.contains(said), "{url}: {error}");
        }
        let at = Endpoint::parse("http://[::1]:8123/?database=a&password=b", None, None).unwrap();
        assert_eq!(at.to_string(), "http://[::1]:8123/");
        assert_eq!(at.target("query=x"), "/?database=a&password=b&query=x");
        assert_eq!(at.target(""), "/?database=a&password=b");
        let below = at.below("/v1/metrics");
        assert_eq!(below.target(""), "/v1/metrics?database=a&password=b");
        assert_eq!(below.clone().below("/v1/metrics"), below);
        let at = Endpoint::parse("http://host.example", None, None).unwrap();
        assert_eq!(at.target("query=x"), "/?query=x");
    }

    #[test]
    fn a_token_alone_is_a_bearers_and_with_a_user_a_password() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        crate::files::write_new(&path, b"secret\n", crate::files::Readers::Owner, false).unwrap();
        let field = |user| {
            let at = Endpoint::parse("http://a/", Some(path.clone()), user).unwrap();
            at.authorization().unwrap().unwrap()
        };
        assert_eq!(field(None), "Bearer secret");
        // RFC 7617: the user, a colon and the password in base64.
        assert_eq!(field(Some("Aladdin")), "Basic QWxhZGRpbjpzZWNyZXQ=");
        let none = Endpoint::parse("http://a/", None, None).unwrap();
        assert_eq!(none.authorization().unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        let at = Endpoint::parse("http://a/", Some(path), None).unwrap();
        assert!(at.authorization().is_err() && at.lacks().is_some());
    }
}
