//! The HTTP server.

use std::net::SocketAddr;
use std::path::PathBuf;

use twinpath_yang::{Children, Fault, Path};

use crate::args::key_path;
use crate::daemon::model::Model;
use crate::http::{Endpoints, HAS_TLS, TlsFiles, WITHOUT_TLS};

use super::leaves::Leaves;
use super::reading::{Reading, wrong};

impl Reading<'_> {
    /// Where it listens, and for which users.
    pub(super) fn api(&mut self) -> Endpoints {
        let leaves = self.container("api");
        let tokens = leaves.one("tokens");
        let tokens = tokens.and_then(|text| self.key_file(&["tokens"], text));
        let endpoints = Endpoints {
            listen: None,
            socket: leaves.one("socket").map(PathBuf::from),
            tokens,
            tls: self.tls(),
        };
        let listen = leaves.one("listen");
        Endpoints {
            listen: listen.and_then(|text| self.listen(text, &endpoints)),
            ..endpoints
        }
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        let tls = tls(self.model, self.root)?;
        if !HAS_TLS {
            self.api_fault(&["tls"], WITHOUT_TLS.to_owned());
        }
        let leaves = Leaves::of(&self.model.schema, tls);
        let key = leaves.one("key").unwrap_or_default();
        Some(TlsFiles {
            certificate: leaves.one("certificate").unwrap_or_default().into(),
            key: self.key_file(&["tls", "key"], key).unwrap_or_default(),
            client_ca: leaves.one("client-ca").map(PathBuf::from),
        })
    }

    /// An address beyond loopback is for those alone who have credentials, and encrypted.
    fn listen(&mut self, text: &str, endpoints: &Endpoints) -> Option<SocketAddr> {
        let loopback = "use a loopback address and a port, as in 127.0.0.1:8862";
        let what = match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => return Some(address),
            Ok(address) => match (endpoints.tls.is_some(), endpoints.needs_credentials()) {
                (true, true) => return Some(address),
                (false, true) => format!(
                    "listen {text}: others could read what is sent: add [api.tls] with certificate and key, or {loopback}"
                ),
                (true, false) => format!(
                    "listen {text}: others could use it: add tokens, or client-ca in [api.tls], or {loopback}"
                ),
                (false, false) => format!(
                    "listen {text}: others could use it: add tokens, and [api.tls] with certificate and key, or {loopback}"
                ),
            },
            Err(_) => format!("listen {text}: {loopback}"),
        };
        self.api_fault(&["listen"], what);
        None
    }

    /// A path, or the name of a credential.
    fn key_file(&mut self, leaf: &[&str], text: &str) -> Option<PathBuf> {
        let path = key_path(text);
        path.map_err(|what| self.api_fault(leaf, format!("{text}: {what}")))
            .ok()
    }

    fn api_fault(&mut self, leaf: &[&str], what: String) {
        self.faults.push(wrong(api_path(self.model, leaf), what));
    }
}

/// What is wrong with its files on this host.
pub(super) fn lacks(endpoints: &Endpoints, model: &Model) -> Vec<Fault> {
    let lacks = endpoints.lacks().into_iter();
    lacks
        .map(|(leaf, failure)| wrong(api_path(model, leaf), failure.to_string()))
        .collect()
}

fn tls<'a>(model: &Model, root: &'a Children) -> Option<&'a Children> {
    let node = model.child(model.child(model.roots.main, "api")?, "tls")?;
    model.container(root, "api")?.get(node)?.container()
}

fn api_path(model: &Model, leaf: &[&str]) -> Path {
    let path = model.path("api", None);
    leaf.iter().fold(path, |path, leaf| {
        model.leaf_path(&path, leaf).unwrap_or(path)
    })
}
