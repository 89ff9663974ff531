//! `twinpath server`.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_proto::reflector::ReflectorCounters;
use twinpath_proto::security::KeyId;
use twinpath_runtime::keys::KeyRing;
use twinpath_runtime::server::{
    self, KeyChanges, ServerCounters, ServerPlan, ServerReport, ServerRun,
};
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use crate::args::{LogOptions, ServerArgs};
use crate::cmd::key_file::{NamedChanges, RereadKeys, read_again};
use crate::cmd::measure::POLL_EVERY;
use crate::cmd::metrics::unconfined_exporter;
use crate::cmd::responder::{
    IGNORED, limits_files, log_ignored, open_socket, plan_with, prefixes, remark_doubt, so_far,
    start_logs, tell_metrics,
};
use crate::cmd::{remark, unwritten};
use crate::exporter;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::ends::named;
use crate::output::{print_to_stderr, server as output, stdout, units, words};
use crate::plan::{self, LimitsFile};
use crate::sandbox::{self, Needs};
use crate::service::{self, Service};
use crate::signals::{ReloadSignal, Signals};
use crate::status::{self, ControlSocket};

/// A start that takes longer than this is explained.
const A_WHILE: Duration = Duration::from_millis(500);

/// `unused`: the remark on a passphrase that a server does not use.
pub(super) fn run(args: &ServerArgs, unused: Option<String>) -> Result<Exit, Failure> {
    let passed = service::passed_sockets()?;
    let files = [args.keys.read_files(), limits_files(args)].concat();
    start_logs(&args.log, args.verbose, &args.log_form, &files)?;
    crate::cmd::warn(args.log.quiet, unused);
    let limits = LimitsFile::of(args)?;
    let plan = plan_with(limits.as_ref(), args, |args| {
        plan::server(args, &plan::system_lookup)
    })?;
    let near = args.near.as_ref();
    remark_doubt(near, &args.log);
    let insecure = args.keys.insecure_key_file;
    let key_file = args.keys.keys.as_deref();
    let keys = key_file.map(|path| RereadKeys::new(path, insecure));
    let reload = ReloadSignal::listen()?;
    let mut service = Service::of_environment();
    service::check_addresses(&passed, near.map(|_| &*plan.near))?;
    let modes = plan.modes;
    args.sandbox.check()?;
    let needs = needs(args, &plan, &files);
    let mut exporter = unconfined_exporter(&args.metrics, &args.sandbox)?;
    let mut unconfined = None;
    let confine = || unconfined = sandbox::confine(&args.sandbox, &needs);
    let deriving = deriving(&plan).filter(|_| !args.log.quiet);
    let run = explained(deriving, || server::start_on(plan, passed, confine))?;
    exporter.listen(args.metrics.address())?;
    // Not before: until clients can be served, a signal ends the program at once.
    let signals = Signals::listen()?.with_progress_requests()?;
    if !args.log.quiet {
        tell_where(&run, modes.and(Modes::SECURITY));
        tell_metrics(&exporter);
    }
    let mut control = open_socket(&args.control_socket, "server", run.listening(), &args.log)?;
    remark(&args.log, unconfined);
    remark(
        &args.log,
        bounds(limits.as_ref().map_or(args, |file| &file.args)),
    );
    let mut files = Files {
        keys,
        limits,
        modes,
    };
    service.ready();
    let mut before = run.counters().packets;
    let mut next_look = Instant::now() + IGNORED;
    let mut told = false;
    let mut tell_no_hardware = || {
        if let Some(reason) = run.no_hardware().filter(|_| !told) {
            told = true;
            warn!("{}", words::finding::no_hardware(reason));
        }
    };
    while !signals.stop_requested() && !run.is_finished() {
        exporter.attend(POLL_EVERY, || exporter::server(&run.so_far()));
        control.answer(|name| status::server(name, &run.status()));
        tell_no_hardware();
        service.attend(|| run.has_turned(), || status(&run.counters()));
        if reload.requested() {
            service.reloading();
            files.reread(&run, &args.log);
            service.ready();
        }
        if signals.progress_requested() {
            so_far(|out| output::text(&run.so_far(), out));
        }
        if Instant::now() >= next_look {
            let counters = run.counters().packets;
            log_ignored(&before, &counters);
            before = counters;
            next_look += IGNORED;
        }
    }
    service.stopping();
    exporter.end(|| exporter::server(&run.so_far()));
    run.stop();
    tell_no_hardware();
    end(run, args, &before)
}

/// What it does once its listening sockets are open.
fn needs<'a>(
    args: &'a ServerArgs,
    plan: &ServerPlan,
    reads: &[(&'static str, &'a Path)],
) -> Needs<'a> {
    let writes = args.log.written_files();
    Needs {
        opens_sockets: true,
        socket_in: ControlSocket::place(&args.control_socket),
        ..Needs::of(&plan.near, &plan.path, &args.metrics, reads, &writes)
    }
}

/// Waits for its end, and writes what it did.
fn end(run: ServerRun, args: &ServerArgs, before: &ReflectorCounters) -> Result<Exit, Failure> {
    let report = run.join()?;
    info!(reflected = report.counters.packets.reflected, "stopped");
    log_ignored(before, &report.counters.packets);
    print(&report, args.summary.is_json())
}

/// The summary, on stdout.
fn print(report: &ServerReport, json: bool) -> Result<Exit, Failure> {
    let mut out = stdout();
    let written = if json {
        output::json(report, &mut out)
    } else {
        output::text(report, &mut out)
    };
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}

/// The keys that are derived first.
fn deriving(plan: &ServerPlan) -> Option<String> {
    match (plan.keys.len(), plan.pbkdf2_count) {
        (0, _) => None,
        (1, count) => Some(format!("deriving 1 key, {count} PBKDF2 iterations")),
        (keys, count) => Some(format!(
            "deriving {keys} keys, {count} PBKDF2 iterations each"
        )),
    }
}

/// Files that are read again while a server runs.
struct Files<'a> {
    keys: Option<RereadKeys<'a>>,
    limits: Option<LimitsFile<ServerArgs>>,
    /// The modes that it offers.
    modes: Modes,
}

impl Files<'_> {
    /// Puts in force what they have now.
    fn reread(&mut self, run: &ServerRun, log: &LogOptions) {
        if self.keys.is_none() && self.limits.is_none() {
            warn!("SIGHUP: no key file to reread, and no file of limits");
        }
        let keys = self.keys.as_ref();
        if let Some((path, ring)) = keys.and_then(RereadKeys::reread::<KeyRing>) {
            let count = ring.len();
            let changes = run.replace_keys(ring);
            let changes = named_changes(&changes);
            remark(log, Some(read_again(path, count, &changes)));
        }
        let modes = self.modes;
        let put_in_force = |args: &ServerArgs| {
            plan::server_limits(args, modes).map(|limits| run.replace_limits(limits))
        };
        let limits = self.limits.as_mut();
        remark(log, limits.and_then(|limits| limits.reread(put_in_force)));
    }
}

/// What a service manager shows of it, in a line.
fn status(counters: &ServerCounters) -> String {
    let of = |number, one, many| units::count(number, one, many);
    format!(
        "{}, {}, {}",
        of(counters.connections, "connection", "connections"),
        of(counters.sessions, "session", "sessions"),
        of(counters.packets.reflected, "reply", "replies")
    )
}

fn tell_where(run: &ServerRun, modes: Modes) {
    for address in run.listening() {
        let address = named(*address);
        print_to_stderr(&format!("listening on {address} (TWAMP-Control, {modes})"));
        if logs::in_file() {
            info!(%address, "listening");
        }
    }
}

/// Does it, and prints the line if it takes a while.
fn explained<T>(line: Option<String>, work: impl FnOnce() -> T) -> T {
    let Some(line) = line else {
        return work();
    };
    thread::scope(|scope| {
        let (done, waits) = mpsc::channel::<()>();
        let explain = move || {
            if waits.recv_timeout(A_WHILE) == Err(RecvTimeoutError::Timeout) {
                print_to_stderr(&line);
                if logs::in_file() {
                    info!("{line}");
                }
            }
        };
        // Without a thread for it: in silence.
        let _explaining = thread::Builder::new().spawn_scoped(scope, explain);
        let result = work();
        drop(done);
        result
    })
}

/// By the names of keys.
fn named_changes(changes: &KeyChanges) -> NamedChanges {
    let named = |ids: &[KeyId]| ids.iter().map(|id| id.as_str().to_owned()).collect();
    NamedChanges {
        added: named(&changes.added),
        changed: named(&changes.changed),
        removed: named(&changes.removed),
        kept: changes.kept,
    }
}

/// The bounds that the operator set.
fn bounds(args: &ServerArgs) -> Option<String> {
    let mut bounds = Vec::new();
    if !args.allow.is_empty() {
        bounds.push(format!("serves {} only", prefixes(&args.allow)));
    }
    if !args.allow_sender.is_empty() {
        bounds.push(format!("and senders from {}", prefixes(&args.allow_sender)));
    }
    if let Some(count) = args.pbkdf2_count.filter(|count| count.is_beyond_custom()) {
        bounds.push(format!(
            "many clients refuse {} PBKDF2 iterations by default (twinpath: --max-pbkdf2-count)",
            count.0
        ));
    }
    if let Some(rate) = args.max_rate {
        bounds.push(format!(
            "at most {rate} packets/s for each sender (IPv6: each /64)"
        ));
    }
    if args.nat {
        let others = if args.allow_sender.is_empty() {
            ""
        } else {
            " or from those senders"
        };
        bounds.push(format!(
            "the first packet from the client's address{others} sets a session's sender port"
        ));
    }
    if args.allow_any_port {
        bounds.push("clients without a key may request any port from 1024 up".to_owned());
    }
    if let Some(dscp) = args.control_dscp.filter(|dscp| *dscp != Dscp::BE) {
        bounds.push(format!("control packets have DSCP {dscp}"));
    }
    (!bounds.is_empty()).then(|| bounds.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<KeyId> {
        let ids = names.iter().map(|name| KeyId::new(name).unwrap());
        ids.collect()
    }

    #[test]
    fn keys_that_are_read_again_are_counted_and_their_changes_named() {
        let path = Path::new("/etc/keys");
        let kept = KeyChanges {
            kept: 1,
            ..KeyChanges::default()
        };
        let line = read_again(path, 1, &named_changes(&kept));
        assert_eq!(line, "/etc/keys: 1 key read; nothing changed");
        let changes = KeyChanges {
            added: ids(&["a", "b", "c", "d", "e", "f"]),
            changed: ids(&["x"]),
            removed: ids(&["y", "z"]),
            kept: 2,
        };
        assert_eq!(
            read_again(path, 9, &named_changes(&changes)),
            "/etc/keys: 9 keys read; added a, b, c, d and 2 more; changed x; removed y, z; 2 as before"
        );
    }
}
