//! Who may ask: the files that say so, and what a request shows.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};
use twinpath_runtime::keys::{self, KeyFile, KeysError};

use super::tls::Tls;
use super::tokens::Tokens;
use super::user::{User, is_of_other_origin};
use super::{Reply, short};
use crate::failure::Failure;
use crate::service;

/// What clients without credentials may send (RFC 9110 section 11.6.1).
const CHALLENGES: [&str; 2] = [
    "Bearer realm=\"twinpath\"",
    "Basic realm=\"twinpath\", charset=\"UTF-8\"",
];

/// Where a server listens, and for which users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    /// For TCP.
    pub(crate) listen: Option<SocketAddr>,
    /// The path of a Unix socket for the user of this process and root.
    pub(crate) socket: Option<PathBuf>,
    /// A file of tokens.
    pub(crate) tokens: Option<PathBuf>,
    /// Without it TCP is not encrypted.
    pub(crate) tls: Option<TlsFiles>,
}

/// Files in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate of the server, and those between it and an authority.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// The authorities of client certificates.
    pub(crate) client_ca: Option<PathBuf>,
}

impl Endpoints {
    /// It listens nowhere.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.listen.is_none() && self.socket.is_none()
    }

    /// The same at any free port.
    pub(crate) fn at_any_port(&self) -> Self {
        let listen = self.listen.map(|at| SocketAddr::new(at.ip(), 0));
        Self {
            listen,
            ..self.clone()
        }
    }

    /// Whether requests by TCP need a token or a client certificate.
    pub(crate) fn needs_credentials(&self) -> bool {
        let tls = self.tls.as_ref();
        self.tokens.is_some() || tls.is_some_and(|tls| tls.client_ca.is_some())
    }

    /// The scheme of its addresses.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Reads the files, each for itself: what is wrong with them, by the leaf that names them.
    pub(crate) fn lacks(&self) -> Vec<(&'static [&'static str], Failure)> {
        let tokens = self.tokens.as_deref().map(Tokens::read);
        let tokens = tokens.and_then(Result::err);
        let mut lacks: Vec<(&'static [&'static str], Failure)> =
            tokens.map(|it| (&["tokens"][..], it)).into_iter().collect();
        if let Some(files) = &self.tls {
            let absent = files.absent();
            if absent.is_empty() {
                let wrong = Tls::read(files).err();
                lacks.extend(wrong.map(|it| (&["tls"][..], it)));
            }
            lacks.extend(absent);
        }
        lacks
    }
}

impl TlsFiles {
    /// Those that cannot be opened, by their leaves.
    fn absent(&self) -> Vec<(&'static [&'static str], Failure)> {
        let all: [(&'static [&'static str], _); 3] = [
            (&["tls", "certificate"], Some(&self.certificate)),
            (&["tls", "key"], Some(&self.key)),
            (&["tls", "client-ca"], self.client_ca.as_ref()),
        ];
        let absent = all.into_iter().filter_map(|(leaf, path)| {
            let path = path?;
            let error = opened(path).err()?;
            let line = format!("cannot read {}: {error}", path.display());
            Some((leaf, Failure::could_not(line)))
        });
        absent.collect()
    }
}

/// Whether a file can be opened. A pipe may wait for its writer, and is left alone.
fn opened(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        fs::File::open(path)?;
    }
    Ok(())
}

/// What the files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) tokens: Option<Arc<Tokens>>,
    pub(super) tls: Option<Tls>,
    pub(super) needs_credentials: bool,
}

/// What the connection of a request shows.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) is_encrypted: bool,
    /// The user that its client certificate names.
    pub(super) certified: Option<Arc<str>>,
}

impl Access {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be used.
    pub(super) fn read(endpoints: &Endpoints) -> Result<Self, Failure> {
        let tokens = endpoints.tokens.as_deref().map(Tokens::read).transpose()?;
        Ok(Self {
            tokens: tokens.map(Arc::new),
            tls: endpoints.tls.as_ref().map(Tls::read).transpose()?,
            needs_credentials: endpoints.needs_credentials(),
        })
    }

    /// Reads the files again. What cannot be used is as it was; with what is wrong.
    pub(super) fn reread(&self, endpoints: &Endpoints) -> (Self, Vec<Failure>) {
        let mut next = self.clone();
        let mut failures = Vec::new();
        match endpoints.tokens.as_deref().map(Tokens::read) {
            Some(Ok(tokens)) => next.tokens = Some(Arc::new(tokens)),
            Some(Err(failure)) => failures.push(failure),
            None => {}
        }
        match endpoints.tls.as_ref().map(Tls::read) {
            Some(Ok(tls)) => next.tls = Some(tls),
            Some(Err(failure)) => failures.push(failure),
            None => {}
        }
        (next, failures)
    }

    /// Puts the user of a request into its extensions, or says why it is not admitted.
    pub(super) fn refuse<B>(&self, request: &mut Request<B>, peer: &Peer) -> Option<Denial> {
        if is_of_other_origin(request.method(), request.headers()) {
            return Some(Denial::OtherOrigin);
        }
        if !self.needs_credentials {
            // A page that needs no credentials must not be read by a name that leads here (DNS rebinding).
            if !peer.is_encrypted && !is_for_this_host(request.headers()) {
                return Some(Denial::OtherHost);
            }
            request.extensions_mut().insert(User::Anonymous);
            return None;
        }
        match self.user(request.headers(), peer) {
            Some(user) => {
                request.extensions_mut().insert(User::Named(user));
                None
            }
            None if request.uri().path() == "/healthz" => None,
            None => Some(Denial::Unknown),
        }
    }

    /// The user of the token; without a token, of the certificate.
    fn user(&self, headers: &HeaderMap, peer: &Peer) -> Option<Arc<str>> {
        match (&self.tokens, headers.get(AUTHORIZATION)) {
            (Some(tokens), Some(field)) => tokens.user(field),
            (None, _) | (Some(_), None) => peer.certified.clone(),
        }
    }
}

/// Why a request is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// It has no credentials that are known.
    Unknown,
    /// A page of another origin would change something.
    OtherOrigin,
    /// It is for another host.
    OtherHost,
}

impl Denial {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
        }
    }

    /// What to do instead.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Unknown => "send a token: Authorization: Bearer TOKEN, or Basic with NAME:TOKEN",
            Self::OtherOrigin => "a page of another origin may not change anything",
            Self::OtherHost => "use the address of this server, or localhost",
        }
    }

    /// The answer; `shown`: the one in the form of what was asked for.
    pub(super) fn reply(self, shown: Option<Reply>) -> Reply {
        let mut response = shown.unwrap_or_else(|| short(self.status(), self.line()));
        if self == Self::Unknown {
            for challenge in CHALLENGES {
                let challenge = HeaderValue::from_static(challenge);
                response.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

/// Whether a browser was sent here by an address or `localhost`: another name that leads here is a trick by which a page
/// of others would read what is served.
fn is_for_this_host(headers: &HeaderMap) -> bool {
    let Some(Ok(host)) = headers.get(HOST).map(HeaderValue::to_str) else {
        return !headers.contains_key(HOST);
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok()
}

/// Reads a file with secrets. `form`: what it should have.
///
/// # Errors
/// It cannot be read, other users can read it, or it has a fault.
pub(crate) fn secret_file<K: KeyFile>(path: &Path, form: &str) -> Result<K, Failure> {
    let access = if service::is_credential(path) {
        keys::Access::Service
    } else {
        keys::Access::OwnerOnly
    };
    keys::read(path, access).map_err(|error| unusable(&error, form))
}

fn unusable<F: fmt::Display>(error: &KeysError<F>, form: &str) -> Failure {
    let remedy = match error {
        KeysError::Exposed { path, .. } => {
            Some(format!("restrict it (chmod 600 {})", path.display()))
        }
        KeysError::Foreign { .. } => Some("give it to the user who runs this (chown)".to_owned()),
        KeysError::Unreadable { source, .. } if source.kind() != io::ErrorKind::NotFound => None,
        KeysError::Line { .. } => None,
        KeysError::Unreadable { .. }
        | KeysError::NoFile { .. }
        | KeysError::TooLarge { .. }
        | KeysError::Empty { .. } => Some(form.to_owned()),
    };
    Failure::could_not(plain(error)).with_remedy(remedy)
}

/// The words of an error, which calls all such files key files.
fn plain<F: fmt::Display>(error: &KeysError<F>) -> String {
    match error {
        KeysError::Empty { path } => format!("{} has no token", path.display()),
        KeysError::Unreadable { .. }
        | KeysError::NoFile { .. }
        | KeysError::Foreign { .. }
        | KeysError::Exposed { .. }
        | KeysError::TooLarge { .. }
        | KeysError::Line { .. } => error.to_string(),
    }
}
