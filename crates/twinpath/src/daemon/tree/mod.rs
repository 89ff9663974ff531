//! The tree of data: the configuration, and in it what the daemon does and measures.

mod builder;
mod interval;
mod twamp;

use std::collections::HashMap;

use twinpath_report::ClockState;
use twinpath_runtime::responder::ResponderReport;
use twinpath_runtime::server::ServerCounters;
use twinpath_wire::nanoseconds;
use twinpath_yang::{Children, Data, NodeId};

use super::alarms::{ActiveAlarm, ShownRow};
use super::api::State;
use super::exports::ExportCounters;
use super::mesh::MeshState;
use super::model::{Model, key};
use super::status::{Counts, Entry, Measured};

pub(super) use builder::Builder;
use interval::IntervalFiller;

/// The most rows of an alarm.
const MOST_EVIDENCE: usize = 10;

/// The configuration with the state of those entries that are wanted, by their list and name. The state of 10,000 sessions
/// takes much memory.
pub(crate) fn with_state_of(
    model: &Model,
    config: &Children,
    state: &State,
    is_wanted: impl Fn(&str, &str) -> bool,
) -> Children {
    let mesh = state.mesh.as_ref();
    let mut root = match mesh {
        Some(mesh) => mesh.derived.added_to(model, config),
        None => config.clone(),
    };
    let Some(measurement) = root.container_mut(model.roots.main) else {
        return root;
    };
    let mut about = Builder::at(&model.schema, model.roots.main);
    about.container("state", |it| daemon(it, state));
    for (node, data) in about.finish() {
        measurement.insert(node, data);
    }
    if let Some((mesh, node)) = mesh.zip(model.child(model.roots.main, "mesh"))
        && let Some(Data::Container(content)) = measurement.get_mut(node)
    {
        let mut about = Builder::at(&model.schema, node);
        about.container("state", |it| of_mesh(it, mesh));
        for (node, data) in about.finish() {
            content.insert(node, data);
        }
    }
    let mut tree = Tree { model, measurement };
    let figures = IntervalFiller::of(model);
    for entry in &state.entries {
        if is_wanted(entry.kind, &entry.name) {
            tree.add(entry.kind, &entry.name, |it| of_entry(it, entry, &figures));
        }
    }
    let mut alarms: HashMap<&str, Vec<&ActiveAlarm>> = HashMap::new();
    for alarm in &state.alarms {
        alarms.entry(&alarm.alert).or_default().push(alarm);
    }
    for (name, active) in &state.alerts {
        if is_wanted("alert", name) {
            let alarms = alarms.get(&**name).map_or(&[][..], Vec::as_slice);
            tree.add("alert", name, |it| alert(it, *active, alarms));
        }
    }
    for one in &state.exports {
        if is_wanted("export", &one.name) {
            tree.add("export", &one.name, |it| export(it, one));
        }
    }
    twamp::add(model, &mut root, &state.twamp, &state.entries);
    root
}

/// The content of the container `measurement`.
struct Tree<'a> {
    model: &'a Model,
    measurement: &'a mut Children,
}

impl Tree<'_> {
    /// Adds the state of an entry, if the configuration has it.
    fn add(&mut self, list: &str, name: &str, fill: impl FnOnce(&mut Builder<'_>)) {
        let Some(list) = self.model.child(self.model.roots.main, list) else {
            return;
        };
        let Some(entry) = entry_mut(self.measurement, list, name) else {
            return;
        };
        let mut builder = Builder::at(&self.model.schema, list);
        builder.container("state", fill);
        for (node, data) in builder.finish() {
            entry.insert(node, data);
        }
    }
}

fn entry_mut<'a>(
    measurement: &'a mut Children,
    list: NodeId,
    name: &str,
) -> Option<&'a mut Children> {
    match measurement.get_mut(list)? {
        Data::List(entries) => entries.get_mut(&key(name)),
        Data::Leaf(_)
        | Data::LeafList(_)
        | Data::Container(_)
        | Data::Keyless(_)
        | Data::Any(_) => None,
    }
}

fn daemon(it: &mut Builder<'_>, state: &State) {
    it.leaf("name", state.name.as_str());
    it.leaf("version", env!("CARGO_PKG_VERSION"));
    it.leaf("started", state.started);
    it.leaf("uptime", nanoseconds::of(state.uptime));
    let alarms = state.alerts.values().sum::<usize>();
    it.leaf("alarms", alarms as u64);
    it.leaf("notifications-dropped", state.events_dropped);
    if !state.needs_restart.is_empty() {
        it.leaf_list("needs-restart", state.needs_restart.iter().copied());
    }
    it.container("clock", |it| clock(it, state.clock));
    if let Some(store) = &state.store {
        it.container("store", |it| {
            it.leaf("rows", store.rows);
            it.leaf("dropped", store.dropped);
            it.leaf("octets", store.octets);
            it.leaf("deleted-octets", store.deleted_octets);
            it.leaf("damaged", store.damaged);
            it.leaf("error", store.error.as_deref());
            it.leaf("raw-records", store.raw.map(|raw| raw.records));
            it.leaf("raw-dropped", store.raw.map(|raw| raw.dropped));
        });
    }
}

fn of_mesh(it: &mut Builder<'_>, mesh: &MeshState) {
    if let Some(document) = &mesh.document {
        it.leaf("name", document.name.as_str());
        it.leaf("serial", document.serial);
        it.leaf("node", mesh.node_name());
        it.leaf("nodes", document.nodes() as u64);
        it.leaf("sessions", mesh.derived.sessions() as u64);
    }
    let gathering = mesh.gathering;
    it.leaf("pages", gathering.map(|counts| counts.pages as u64));
    it.leaf("pages-failed", gathering.map(|counts| counts.failed as u64));
    it.leaf("changed", mesh.changed);
    it.leaf("last-fetch", mesh.last_fetch);
    it.leaf("fault", mesh.fault());
}

fn clock(it: &mut Builder<'_>, clock: ClockState) {
    it.leaf("synchronized", clock.synchronized);
    it.leaf("error", clock.error_ns);
}

fn of_entry(it: &mut Builder<'_>, entry: &Entry, figures: &IntervalFiller) {
    it.leaf("status", entry.state);
    it.leaf("failure", entry.failure.as_deref());
    match &entry.counts {
        Some(Counts::Responder(report)) => {
            listening(it, entry);
            responder(it, report);
        }
        Some(Counts::Server(counters)) => {
            listening(it, entry);
            server(it, counters);
        }
        None => {}
    }
    it.list("measurement", &entry.measures, |it, measured| {
        measurement(it, measured, figures);
    });
}

fn listening(it: &mut Builder<'_>, entry: &Entry) {
    it.leaf_list("listening", entry.listening.iter().map(String::as_str));
    it.leaf("replies", entry.replies);
}

fn responder(it: &mut Builder<'_>, report: &ResponderReport) {
    let counters = &report.counters;
    it.leaf("error-multiplier-zero", counters.error_multiplier_zero);
    unanswered(it, counters.ignored_by_kind());
    it.leaf("send-errors", report.send_errors);
    it.leaf("receive-drops", report.receive_drops);
    it.leaf("sessions", counters.sessions);
    it.leaf("sessions-made", counters.sessions_made);
    it.leaf("sessions-expired", counters.sessions_expired);
    it.leaf("sessions-evicted", counters.sessions_evicted);
    it.leaf("sessions-restarted", counters.sessions_restarted);
    it.leaf("stateless-replies", counters.answered_stateless);
}

fn server(it: &mut Builder<'_>, counters: &ServerCounters) {
    it.leaf(
        "error-multiplier-zero",
        counters.packets.error_multiplier_zero,
    );
    unanswered(it, counters.packets.ignored_by_kind());
    it.leaf("connections", counters.connections);
    it.leaf("connections-served", counters.connections_served);
    it.leaf(
        "connections-over-client-limit",
        counters.connections_over_client_limit,
    );
    it.leaf("connections-when-full", counters.connections_when_full);
    it.leaf("connections-made-room", counters.connections_made_room);
    it.leaf("connections-not-allowed", counters.connections_not_allowed);
    it.leaf("accept-errors", counters.accept_errors);
    it.leaf("keys-refused", counters.keys_refused);
    it.leaf("sessions", counters.sessions);
    it.leaf("sessions-made", counters.sessions_made);
    it.leaf("sessions-started", counters.sessions_started);
    it.leaf("sessions-refused", counters.sessions_refused);
    it.leaf("sessions-expired", counters.sessions_expired);
    it.leaf("ports", counters.ports);
}

fn unanswered(it: &mut Builder<'_>, reasons: impl Iterator<Item = (&'static str, u64)>) {
    let met = reasons.filter(|(_, packets)| *packets > 0);
    it.list("unanswered", met, |it, (reason, packets)| {
        it.leaf("reason", reason);
        it.leaf("packets", packets);
    });
}

fn measurement(it: &mut Builder<'_>, measured: &Measured, figures: &IntervalFiller) {
    class_and_path(it, measured.dscp, measured.path);
    it.leaf("sender", measured.sender.as_str());
    it.leaf("reflector", measured.reflector.as_str());
    it.leaf("ssid", measured.ssid.map(u64::from));
    it.leaf("sent", measured.sent);
    it.leaf("received", measured.received);
    it.leaf("lost", measured.lost);
    it.leaf("unawaited", measured.unawaited);
    it.leaf("unsent", measured.unsent);
    it.leaf("silent", measured.is_silent);
    it.leaf("cause", measured.cause.as_deref());
    if let Some(far) = measured.far_clock {
        it.container("far-clock", |it| clock(it, far));
    }
    if let Some(interval) = &measured.interval {
        it.container("interval", |it| figures.fill(it, interval.figures()));
    }
}

/// What tells measurements of a session apart.
pub(super) fn class_and_path(it: &mut Builder<'_>, dscp: u8, path: Option<u16>) {
    it.leaf("class", u64::from(dscp));
    it.leaf("path", u64::from(path.unwrap_or(0)));
}

fn alert(it: &mut Builder<'_>, active: usize, alarms: &[&ActiveAlarm]) {
    it.leaf("active", active > 0);
    it.leaf("alarms", active as u64);
    it.list("alarm", alarms, |it, one| alarm(it, one));
}

fn export(it: &mut Builder<'_>, export: &ExportCounters) {
    it.leaf("sent", export.sent);
    it.leaf("batches", export.batches);
    it.leaf("waiting", export.waiting);
    it.leaf("waiting-octets", export.octets);
    it.leaf("dropped", export.dropped);
    it.leaf("refused", export.refused);
    it.leaf("error", export.error.as_deref());
    it.leaf("last-error", export.last_error.as_deref());
    it.leaf("last-success", export.last_success);
}

/// An alarm that is or was active.
pub(super) fn alarm(it: &mut Builder<'_>, alarm: &ActiveAlarm) {
    it.leaf("session", alarm.session.as_str());
    class_and_path(it, alarm.dscp, alarm.path);
    it.leaf("since", alarm.since.as_str());
    let rows = alarm.evidence.iter().take(MOST_EVIDENCE);
    it.list("evidence", rows, |it, row: &ShownRow| {
        it.leaf("start", row.start.as_str());
        it.leaf("end", row.end.as_str());
        it.leaf("value", row.value);
    });
}

#[cfg(test)]
pub(super) mod tests;
