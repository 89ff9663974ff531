//! Alerts and windows of maintenance.

use std::sync::Arc;

use twinpath_yang::{Children, Data, Fault, Path, Select};

use crate::args::above_zero;
use crate::daemon::alarms::{
    Action, AlarmSettings, AlertSpec, Condition, Maintenance, Selector, SyslogServer,
};
use crate::daemon::model::Model;

use super::endpoints::OF_ENDPOINT;
use super::leaves::Leaves;
use super::paths::leaf_about;
use super::reading::{Reading, wrong};

/// What the schema has as a default.
const FACILITY: &str = "daemon";

impl Reading<'_> {
    /// All alerts and windows of maintenance.
    pub(super) fn alarms(&mut self) -> AlarmSettings {
        let mut main = Path::root();
        main.push(self.model.roots.main, Select::All);
        let all = self.model.measurement(self.root);
        let alerts = self.listed(&main, all, "alert").into_iter();
        let alerts: Vec<_> = alerts
            .filter_map(|(path, entry)| self.alert(&path, entry))
            .collect();
        let windows = self.listed(&main, all, "maintenance").into_iter();
        let windows = windows.filter_map(|(path, entry)| self.maintenance(&path, entry));
        AlarmSettings {
            maintenance: windows.collect(),
            alerts,
        }
    }

    fn alert(&mut self, path: &Path, entry: &Children) -> Option<Arc<AlertSpec>> {
        let leaves = Leaves::of(&self.model.schema, entry);
        let condition = Condition::parse(leaves.one("when")?);
        let condition = condition.map_err(|what| self.wrong_at(path, "when", what));
        let actions = self.listed(path, Some(entry), "actions").into_iter();
        let actions: Vec<_> = actions
            .map(|(path, entry)| self.action(&path, entry))
            .collect();
        let except = leaves.each("except").iter();
        Some(Arc::new(AlertSpec {
            name: leaves.one("name")?.into(),
            selector: selector(&leaves),
            except: except.map(|text| Selector::new(text)).collect(),
            condition: condition.ok()?,
            actions: actions.into_iter().collect::<Option<_>>()?,
        }))
    }

    fn action(&mut self, path: &Path, entry: &Children) -> Option<Action> {
        let leaves = Leaves::of(&self.model.schema, entry);
        if let Some(url) = leaves.one("webhook") {
            let at = self.endpoint(path, "webhook", url, &leaves);
            return at.map(Action::Webhook);
        }
        let all = leaves.each("alertmanager");
        if !all.is_empty() {
            let all = all.iter();
            let all = all.map(|url| self.endpoint(path, "alertmanager", url, &leaves));
            let all: Vec<_> = all.collect();
            let all: Option<Vec<_>> = all.into_iter().collect();
            return all.map(|all| Action::Alertmanager(all.into()));
        }
        if let Some(text) = leaves.one("syslog") {
            return self.syslog(path, text, &leaves);
        }
        for leaf in OF_ENDPOINT.iter().filter(|leaf| leaves.has(leaf)) {
            let what = format!("{leaf}: not for exec: leave it out");
            self.wrong_at(path, leaf, what);
        }
        let action = Action::exec(leaves.each("exec"));
        action
            .map_err(|what| self.wrong_at(path, "exec", what))
            .ok()
    }

    fn syslog(&mut self, path: &Path, text: &str, leaves: &Leaves) -> Option<Action> {
        let options = self.endpoint_options(path, leaves)?;
        let facility = leaves.one("facility").unwrap_or(FACILITY);
        let server = SyslogServer::parse(text, facility, &options);
        let server = server.map_err(|(leaf, what)| self.wrong_at(path, leaf, what));
        server.ok().map(Action::Syslog)
    }

    fn maintenance(&mut self, path: &Path, entry: &Children) -> Option<Maintenance> {
        let leaves = Leaves::of(&self.model.schema, entry);
        let every = leaves.one("every").map(above_zero).transpose();
        let every =
            every.map_err(|advice| self.wrong_at(path, "every", format!("every: {advice}")));
        let (from, to) = (leaves.one("from")?, leaves.one("to")?);
        let every = every.ok()?.map(|time| time.0);
        Maintenance::new(selector(&leaves), from, to, every)
            .map_err(|what| {
                let leaf = what.split([' ', ':']).next().unwrap_or_default().to_owned();
                self.wrong_at(path, &leaf, what);
            })
            .ok()
    }

    /// The entries of a list below a node with this path, each with its own.
    pub(super) fn listed<'a>(
        &self,
        above: &Path,
        children: Option<&'a Children>,
        list: &str,
    ) -> Vec<(Path, &'a Children)> {
        listed(self.model, above, children, list)
    }

    pub(super) fn wrong_at(&mut self, above: &Path, leaf: &str, what: String) {
        let path = self.model.leaf_path(above, leaf);
        self.faults
            .push(wrong(path.unwrap_or_else(|| above.clone()), what));
    }
}

/// What the actions of an alert lack on this host, each at the leaf that names it.
pub(super) fn lacks(alert: &AlertSpec, model: &Model, root: &Children) -> Vec<Fault> {
    let above = model.path("alert", Some(&alert.name));
    let actions = listed(model, &above, root.content(&above), "actions");
    let actions = actions.into_iter().zip(&alert.actions);
    let faults = actions.filter_map(|((path, entry), action)| {
        let line = action.lacks()?.to_string();
        let at = leaf_about(model, &path, entry, &line);
        Some(wrong(at.unwrap_or(path), line))
    });
    faults.collect()
}

/// The entries of a list below a node with this path, each with its own.
fn listed<'a>(
    model: &Model,
    above: &Path,
    children: Option<&'a Children>,
    list: &str,
) -> Vec<(Path, &'a Children)> {
    let node = above.node().and_then(|above| model.child(above, list));
    let Some(node) = node else {
        return Vec::new();
    };
    let entries = children.and_then(|children| children.get(node));
    let entries = entries.and_then(Data::entries).into_iter().flatten();
    entries
        .map(|(key, entry)| (above.join(node, Select::Key(key.clone())), entry))
        .collect()
}

fn selector(leaves: &Leaves) -> Selector {
    Selector::new(leaves.one("session").unwrap_or("*"))
}
