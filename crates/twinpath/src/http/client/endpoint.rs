//! A server, by its URL.

use std::fmt;
use std::path::PathBuf;

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Uri};
use tokio::time::timeout;

use crate::failure::Failure;

use super::authorization::{Token, authorization};
use super::call::{Answer, Call, CallError};
use super::connection::Peer;
use super::exchange::exchange;
use super::tls::HAS_TLS;

/// What to write.
const ADVICE: &str = "write http://HOST:PORT/PATH or https://HOST:PORT/PATH";

/// What a configuration has beside a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct EndpointOptions {
    /// The file of a token, or with `user` of a password. It is read for each request.
    pub(crate) token: Option<PathBuf>,
    /// The user of requests.
    pub(crate) user: Option<String>,
    /// The file of the authorities that are trusted, in PEM; without it those of the system are.
    pub(crate) ca: Option<PathBuf>,
    /// The file of a certificate that is shown to the server, in PEM.
    pub(crate) certificate: Option<PathBuf>,
    /// The file of its private key, in PEM.
    pub(crate) key: Option<PathBuf>,
}

/// A server, what requests to it have, and by what it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    uri: Uri,
    options: EndpointOptions,
}

/// Why a URL and its options cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointFault {
    /// The option that is at fault; `None`: the URL.
    pub(crate) option: Option<&'static str>,
    /// What to write instead, behind the text of the URL or the name of the option and a colon.
    pub(crate) advice: String,
}

impl EndpointOptions {
    /// Refuses a certificate without its key, and a key without its certificate.
    pub(super) fn check_certificate(&self) -> Result<(), EndpointFault> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err(EndpointFault::of_option("certificate", "add key")),
            (None, Some(_)) => Err(EndpointFault::of_option("key", "add certificate")),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// Refuses files of TLS.
    fn check_without_tls(&self) -> Result<(), EndpointFault> {
        let files = [
            ("ca", &self.ca),
            ("certificate", &self.certificate),
            ("key", &self.key),
        ];
        match files.into_iter().find(|(_, file)| file.is_some()) {
            Some((option, _)) => {
                let advice = "only for https: leave it out";
                Err(EndpointFault::of_option(option, advice))
            }
            None => Ok(()),
        }
    }
}

impl EndpointFault {
    fn of_option(option: &'static str, advice: &str) -> Self {
        Self {
            option: Some(option),
            advice: advice.to_owned(),
        }
    }

    fn of_url(advice: impl Into<String>) -> Self {
        Self {
            option: None,
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Endpoint {
    /// Without its query, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or("http");
        write!(f, "{scheme}://{}{}", self.authority(), self.uri.path())
    }
}

impl Endpoint {
    /// A server with an absolute URL of `http` or, with the feature `tls`, `https`, without a user.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn parse(url: &str, options: EndpointOptions) -> Result<Self, EndpointFault> {
        let uri: Uri = url.parse().map_err(|_| EndpointFault::of_url(ADVICE))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(EndpointFault::of_url(ADVICE)),
        };
        if is_tls && !HAS_TLS {
            let advice = "this program is built without TLS: build it with the feature tls, or write http://HOST:PORT/PATH";
            return Err(EndpointFault::of_url(advice));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') || uri.host().is_none_or(str::is_empty) {
            let advice = format!("{ADVICE}, and user and token beside it");
            return Err(EndpointFault::of_url(advice));
        }
        let has_port = authority.len() > uri.host().map_or(0, str::len);
        if has_port && uri.port_u16().is_none_or(|port| port == 0) {
            return Err(EndpointFault::of_url(ADVICE));
        }
        let endpoint = Self { uri, options };
        if is_tls {
            Peer::check(endpoint.host(), &endpoint.options)?;
        } else {
            endpoint.options.check_without_tls()?;
        }
        Ok(endpoint)
    }

    /// The same server, and a path that ends with this.
    pub(crate) fn below(self, path: &str) -> Self {
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

    /// What this host lacks for it: a file that cannot be used.
    pub(crate) fn lacks(&self) -> Option<Failure> {
        let token = self.options.token.as_deref();
        let token = token.and_then(|path| Token::read(path).err());
        token.or_else(|| self.peer().lacks())
    }

    /// Sends a request once, on a connection of its own.
    ///
    /// # Errors
    /// No answer came; whatever its status, an answer is no error.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, CallError> {
        let within = call.limits.within;
        let answer = timeout(within, self.attempt(call)).await;
        answer.unwrap_or(Err(CallError::Late(within)))
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, CallError> {
        let request = self.request(call)?;
        let peer = self.peer();
        let stream = peer.connect().await?;
        let answer = exchange(stream, request, call.limits.octets).await;
        answer.map_err(|error| peer.failed(error.as_ref()))
    }

    /// Where connections go.
    fn peer(&self) -> Peer<'_> {
        if self.is_tls() {
            Peer::tls(self.host(), self.port(), &self.options)
        } else {
            Peer::plain(self.host(), self.port())
        }
    }

    fn request(&self, call: &Call) -> Result<Request<Full<hyper::body::Bytes>>, CallError> {
        let options = &self.options;
        let authorization = authorization(options.user.as_deref(), options.token.as_deref());
        let authorization = authorization.map_err(CallError::File)?;
        let mut request = Request::builder()
            .method(&call.method)
            .uri(self.target(&call.query))
            .header(HOST, self.authority())
            .header(CONNECTION, "close")
            .header(USER_AGENT, concat!("twinpath/", env!("CARGO_PKG_VERSION")));
        let own = authorization.map(|value| (AUTHORIZATION, value));
        for (name, value) in call.fields.iter().cloned().chain(own) {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body.clone()));
        request.map_err(|error| self.peer().broken(error.to_string()))
    }

    fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    fn authority(&self) -> &str {
        self.uri.authority().map_or("", |it| it.as_str())
    }

    /// A name or an address without brackets.
    fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    fn port(&self) -> u16 {
        let usual = if self.is_tls() { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(usual)
    }

    /// The path and the query of a request.
    pub(super) fn target(&self, query: &str) -> String {
        let path = self.uri.path();
        match (self.uri.query(), query) {
            (None, "") => path.to_owned(),
            (Some(own), "") => format!("{path}?{own}"),
            (None, query) => format!("{path}?{query}"),
            (Some(own), query) => format!("{path}?{own}&{query}"),
        }
    }
}
