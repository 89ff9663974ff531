//! Where entries are in the configuration, by which rules judge them (RFC 8341).

use twinpath_yang::{Path, Select};

use super::control::{Control, Running};
use super::model::Model;
use super::part::Runs as _;
use super::sessions::SessionSpec;
use super::settings::{TWAMP_SERVER, request_path, sender_path, server_path};
use super::twamp::RemoteRun;

/// The nodes of entries in a configuration.
pub(super) struct Places<'a> {
    model: &'static Model,
    control: &'a Control,
    running: &'a Running,
}

impl<'a> Places<'a> {
    /// Those of what is in force.
    pub(super) fn of(model: &'static Model, control: &'a Control, running: &'a Running) -> Self {
        Self {
            model,
            control,
            running,
        }
    }

    /// Whether an entry may be read, by which of its nodes may be.
    pub(super) fn show(&self, kind: &str, name: &str, may_read: impl Fn(&Path) -> bool) -> bool {
        self.nodes(kind, name).iter().all(may_read)
    }

    fn nodes(&self, kind: &str, name: &str) -> Vec<Path> {
        let listed = self.model.path(kind, Some(name));
        if kind == "session" || kind == RemoteRun::KIND {
            return self.of_session(name);
        }
        let server = server_path(self.model);
        let is_twamp = kind == "server" && name == TWAMP_SERVER;
        if is_twamp && self.running.configuration.root().has(&server) {
            return vec![server];
        }
        vec![listed]
    }

    /// A session is an entry of its list, or one that the model of TWAMP requests.
    fn of_session(&self, name: &str) -> Vec<Path> {
        let listed = self.model.path("session", Some(name));
        let settings = &self.running.configuration.settings;
        if let Some(remote) = settings.remotes.get(name) {
            return vec![request_path(self.model, &remote.connection, name)];
        }
        match settings.sessions.get(name) {
            Some(SessionSpec::Limited(limited)) => vec![
                request_path(self.model, &limited.connection, name),
                sender_path(self.model, name),
            ],
            Some(SessionSpec::Plain(_) | SessionSpec::Controlled(_)) => vec![listed],
            None if self.control.is_of_mesh(name) => vec![listed],
            // It was one of either; that is not known any more.
            None => vec![listed, Path::root().join(self.model.twamp, Select::All)],
        }
    }
}
