//! `twinpath responder`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tracing::{Level, info, warn};
use twinpath_proto::reflector::{Ignored, ReflectorCounters};
use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_runtime::ResponderPlan;
use twinpath_runtime::keys::scope_name;
use twinpath_runtime::responder::{self, ResponderReport, ResponderRun};

use super::key_file::{NamedChanges, RereadKeys, read_again};
use super::metrics::unconfined_exporter;
use super::output_files::distinct_files;
use super::{remark, unwritten};
use crate::args::{
    Answers, ControlSocketOptions, ExtensionOptions, Limited, LogFormatOptions, LogOptions,
    NearEnd, Prefix, ResponderArgs, doubt,
};
use crate::exporter::{self, Exporter};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::ends::named;
use crate::output::units::count;
use crate::output::words;
use crate::output::{self, print_to_stderr};
use crate::plan::{self, LimitsFile};
use crate::sandbox::{self, Needs};
use crate::service::{self, Service};
use crate::signals::{ReloadSignal, Signals};
use crate::status::{self, ControlSocket};

const POLL_EVERY: Duration = Duration::from_millis(20);
/// A kind of ignored packet is logged this often at most.
pub(super) const IGNORED: Duration = Duration::from_secs(1);
/// The most items of a list that are shown.
const MOST_SHOWN: usize = 4;

pub(super) fn run(args: &ResponderArgs) -> Result<Exit, Failure> {
    let passed = service::passed_sockets()?;
    let files = [args.keys.read_files(), limits_files(args)].concat();
    start_logs(&args.log, args.verbose, &args.log_form, &files)?;
    let mut limits = LimitsFile::of(args)?;
    let plan = plan_with(limits.as_ref(), args, |args| {
        plan::responder(args, &plan::system_lookup)
    })?;
    let stamp_keys = plan::stamp_keys(&args.keys)?;
    let near = args.near.as_ref();
    remark_doubt(near, &args.log);
    let key_file = args.keys.hmac_key_file.as_deref();
    let insecure = args.keys.insecure_key_file;
    let reread = key_file.map(|path| RereadKeys::new(path, insecure));
    let mut signals = Signals::listen()?.with_progress_requests()?;
    let mut service = Service::of_environment();
    // The service manager sends SIGHUP for a reload.
    let rereads = reread.is_some() || limits.is_some() || service.is_managed();
    let reload = rereads.then(ReloadSignal::listen).transpose()?;
    if reload.is_none() {
        signals = signals.with_hangups()?;
    }
    let in_use = keys_in_use(&stamp_keys, args);
    let mut fingerprints = stamp_keys.fingerprints();
    service::check_addresses(&passed, near.map(|_| &*plan.near))?;
    args.sandbox.check()?;
    let mut exporter = unconfined_exporter(&args.metrics, &args.sandbox)?;
    let mut unconfined = None;
    let mut run = responder::start_on(&plan, passed, stamp_keys, || {
        unconfined = sandbox::confine(&args.sandbox, &needs(args, &plan, &files));
    })?;
    exporter.listen(args.metrics.address())?;
    if !args.log.quiet {
        tell_where(&run, args);
        tell_metrics(&exporter);
    }
    let mut control = open_socket(
        &args.control_socket,
        "responder",
        run.listening(),
        &args.log,
    )?;
    for reason in run.no_hardware() {
        warn!("{}", words::finding::no_hardware(reason));
    }
    let bounds = bounds(limits.as_ref().map_or(args, |file| &file.args));
    for line in [unconfined, in_use, bounds] {
        remark(&args.log, line);
    }
    service.ready();
    let (mut before, mut has_repeated) = (ReflectorCounters::default(), false);
    let mut next_look = Instant::now() + IGNORED;
    while !signals.stop_requested() && !run.is_finished() {
        exporter.attend(POLL_EVERY, || exporter::responder(&run.counted()));
        service.attend(|| run.has_turned(), || status(&run.counted()));
        control.answer(|name| status::responder(name, &run.status()));
        if reload.as_ref().is_some_and(ReloadSignal::requested) {
            service.reloading();
            let keys = reread.as_ref();
            reread_files(
                &mut run,
                keys,
                &mut fingerprints,
                limits.as_mut(),
                &args.log,
            );
            service.ready();
        }
        if signals.progress_requested() {
            so_far(|out| output::responder::text(&run.so_far(), out));
        }
        if Instant::now() >= next_look {
            let counters = run.counted().counters;
            log_changes(&before, &counters, &mut has_repeated);
            before = counters;
            next_look += IGNORED;
        }
    }
    service.stopping();
    exporter.end(|| exporter::responder(&run.counted()));
    end(run, args, &before, &mut has_repeated)
}

/// What it does once its sockets are open.
fn needs<'a>(
    args: &'a ResponderArgs,
    plan: &ResponderPlan,
    reads: &[(&'static str, &'a Path)],
) -> Needs<'a> {
    let writes = args.log.written_files();
    let needs = Needs::of(&plan.near, &plan.path, &args.metrics, reads, &writes);
    Needs {
        socket_in: ControlSocket::place(&args.control_socket),
        // Members of links may come.
        binds_interfaces: needs.binds_interfaces || !plan.members.is_empty(),
        ..needs
    }
}

/// Waits for its end, and writes what it did.
fn end(
    run: ResponderRun,
    args: &ResponderArgs,
    before: &ReflectorCounters,
    has_repeated: &mut bool,
) -> Result<Exit, Failure> {
    let report = run.join()?;
    info!(reflected = report.counters.reflected, "stopped");
    log_changes(before, &report.counters, has_repeated);
    print(&report, args.summary.is_json())
}

/// The summary, on stdout.
fn print(report: &ResponderReport, json: bool) -> Result<Exit, Failure> {
    let mut out = output::stdout();
    let written = if json {
        output::responder::json(report, &mut out)
    } else {
        output::responder::text(report, &mut out)
    };
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}

/// Puts in force what its files have now.
fn reread_files(
    run: &mut ResponderRun,
    keys: Option<&RereadKeys<'_>>,
    fingerprints: &mut BTreeMap<KeyScope, [u8; 16]>,
    limits: Option<&mut LimitsFile<ResponderArgs>>,
    log: &LogOptions,
) {
    if keys.is_none() && limits.is_none() {
        warn!("SIGHUP: no key file to reread, and no file of limits");
    }
    let brought = keys.and_then(|keys| keys_again(run, keys, fingerprints));
    remark(log, brought);
    let brought = limits.and_then(|limits| limits_again(run, limits));
    remark(log, brought);
}

/// What may be a mistake in its address and port.
pub(super) fn remark_doubt(near: Option<&NearEnd>, log: &LogOptions) {
    let host = near.and_then(|near| near.host.as_ref());
    remark(log, doubt(host, near.and_then(|near| near.port)));
}

/// Opens the socket for `twinpath status`, and says why where it has none.
pub(super) fn open_socket(
    options: &ControlSocketOptions,
    command: &'static str,
    listening: &[SocketAddr],
    log: &LogOptions,
) -> Result<ControlSocket, Failure> {
    let (control, without) = ControlSocket::open(options, command, listening)?;
    remark(log, without);
    Ok(control)
}

/// Starts logging for a reflector that reads these files, by their options.
///
/// # Errors
/// The log file is one of them, or cannot be opened.
pub(super) fn start_logs(
    log: &LogOptions,
    verbose: bool,
    form: &LogFormatOptions,
    files: &[(&'static str, &Path)],
) -> Result<(), Failure> {
    distinct_files(&log.written_files(), files)?;
    let usual = if verbose { Level::INFO } else { Level::WARN };
    logs::start_service(log, usual, form.log_format)
}

/// What `plan` makes of a command line, with the limits of its file where it names one.
pub(super) fn plan_with<A: Limited, P>(
    limits: Option<&LimitsFile<A>>,
    args: &A,
    plan: impl FnOnce(&A) -> Result<P, Failure>,
) -> Result<P, Failure> {
    match limits {
        Some(limits) => plan(&limits.args).map_err(|failure| limits.placed(failure)),
        None => plan(args),
    }
}

/// The file of limits, by its option.
pub(super) fn limits_files<A: Limited>(args: &A) -> Vec<(&'static str, &Path)> {
    let file = args.limits_file();
    Vec::from_iter(file.map(|(path, _)| ("--limits", path)))
}

/// Puts the present keys of a file in force, in place of those with these fingerprints. What it brought.
fn keys_again(
    run: &ResponderRun,
    file: &RereadKeys<'_>,
    fingerprints: &mut BTreeMap<KeyScope, [u8; 16]>,
) -> Option<String> {
    let (path, keys) = file.reread::<StampKeys>()?;
    let others = keys.fingerprints();
    let brought = read_again(path, keys.len(), &changes(fingerprints, &others));
    *fingerprints = others;
    run.replace_keys(keys);
    Some(brought)
}

/// Puts the present limits of a file in force. What it brought.
fn limits_again(run: &mut ResponderRun, file: &mut LimitsFile<ResponderArgs>) -> Option<String> {
    file.reread(|args| plan::reflector(args).map(|config| run.replace_config(config)))
}

/// What keys changed, by the packets that they are for.
fn changes(
    before: &BTreeMap<KeyScope, [u8; 16]>,
    now: &BTreeMap<KeyScope, [u8; 16]>,
) -> NamedChanges {
    let mut changes = NamedChanges::default();
    for (scope, key) in now {
        match before.get(scope) {
            None => changes.added.push(scope_name(*scope)),
            Some(earlier) if earlier != key => changes.changed.push(scope_name(*scope)),
            Some(_) => changes.kept += 1,
        }
    }
    let gone = before.keys().filter(|scope| !now.contains_key(scope));
    changes.removed = gone.map(|scope| scope_name(*scope)).collect();
    changes
}

/// What a service manager shows of it, in a line.
fn status(report: &ResponderReport) -> String {
    let replies = count(report.counters.reflected, "reply", "replies");
    let sessions = count(report.counters.sessions, "session", "sessions");
    format!("{replies}, {sessions}")
}

/// Where it listens, and what it answers.
fn tell_where(run: &ResponderRun, args: &ResponderArgs) {
    let protocol = match args.protocol {
        _ if args.authenticated => "authenticated STAMP",
        Answers::Auto => "TWAMP Light and STAMP",
        Answers::Stamp => "STAMP",
        Answers::TwampLight => "TWAMP Light",
    };
    let state = if args.stateless {
        "stateless"
    } else {
        "stateful"
    };
    for address in run.listening() {
        let address = named(*address);
        print_to_stderr(&format!("listening on {address} ({protocol}, {state})"));
        if logs::in_file() {
            info!(%address, "listening");
        }
    }
}

/// Where it serves metrics.
pub(super) fn tell_metrics(exporter: &Exporter) {
    if let Some(address) = exporter.listening() {
        print_to_stderr(&format!("metrics at http://{}/metrics", named(address)));
        if logs::in_file() {
            info!(%address, "metrics");
        }
    }
}

/// Tells people on stderr what was done so far.
pub(super) fn so_far(summary: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let mut text = Vec::new();
    // Memory takes it.
    let _ = summary(&mut text);
    print_to_stderr(String::from_utf8_lossy(&text).trim_end());
}

/// The keys of STAMP, and what becomes of packets without a right HMAC.
fn keys_in_use(keys: &StampKeys, args: &ResponderArgs) -> Option<String> {
    let (ssids, prefixes, others) = keys.by_scope();
    let of = |number: usize, one: &str, many: &str| {
        (number > 0).then(|| count(number as u64, one, many))
    };
    let scopes = [
        of(ssids, "key for an SSID", "keys for SSIDs"),
        of(prefixes, "key for a prefix", "keys for prefixes"),
        of(others, "key for all other senders", ""),
    ];
    let scopes: Vec<String> = scopes.into_iter().flatten().collect();
    let keys = match (&*scopes, ssids + prefixes) {
        ([], _) => return None,
        (_, 0) => "1 key for all senders".to_owned(),
        (scopes, _) => scopes.join(", "),
    };
    let open = if args.authenticated {
        "packets without a right HMAC get no reply"
    } else if args.require_hmac {
        "open packets are answered too, their TLVs used only with a right HMAC TLV"
    } else {
        "open packets are answered too (--authenticated: no)"
    };
    Some(format!("{keys}; {open}"))
}

/// The bounds that the operator set on answers.
fn bounds(args: &ResponderArgs) -> Option<String> {
    let mut bounds = Vec::new();
    if !args.allow.is_empty() {
        bounds.push(format!("answers {} only", prefixes(&args.allow)));
    }
    if let Some(rate) = args.max_rate {
        bounds.push(format!("at most {rate} packets/s for each client"));
    }
    if !args.allow_ssid.is_empty() {
        let ssids: Vec<String> = args.allow_ssid.iter().map(ToString::to_string).collect();
        bounds.push(format!("answers SSID {} only", first(&ssids)));
    }
    bounds.extend(permissions(&args.extensions));
    if let Some(padding) = args.padding {
        let longer = if args.allow_larger_replies {
            "longer than the request if necessary"
        } else {
            "never longer than the request (--allow-larger-replies)"
        };
        bounds.push(format!(
            "replies sized as for a request with padding {}, {longer}",
            padding.0
        ));
    }
    (!bounds.is_empty()).then(|| bounds.join("; "))
}

/// What senders may ask for with TLVs, as far as the operator said it.
fn permissions(extensions: &ExtensionOptions) -> Vec<String> {
    let mut all = Vec::new();
    if extensions.no_tlv {
        all.push("processes no TLV".to_owned());
    }
    if !extensions.allow_dscp.is_empty() {
        let classes: Vec<String> = extensions
            .allow_dscp
            .iter()
            .map(ToString::to_string)
            .collect();
        all.push(format!("replies also with DSCP {}", first(&classes)));
    }
    if !extensions.micro_session_id.is_empty() {
        let ids = extensions.micro_session_id.iter();
        let ids: Vec<String> = ids.map(|member| member.id.to_string()).collect();
        all.push(format!("answers Micro-session ID {} only", first(&ids)));
    }
    if !extensions.allow_return_address.is_empty() {
        let allowed = prefixes(&extensions.allow_return_address);
        all.push(format!("replies also to other addresses in {allowed}"));
    }
    if !extensions.srv6_return.is_empty() {
        let allowed = prefixes(&extensions.srv6_return);
        all.push(format!("replies also over segments in {allowed}"));
    }
    let control = &extensions.control;
    if !control.allow_control.is_empty() {
        let allowed = prefixes(&control.allow_control);
        let (count, octets) = (control.control_count, control.control_volume);
        let rate = control.control_rate;
        all.push(format!(
            "up to {count} replies to a request from {allowed}, {octets} octets at once and {rate} bit/s in all"
        ));
        if !control.join.is_empty() {
            let groups = control.join.iter().map(|group| group.address.to_string());
            let groups: Vec<String> = groups.collect();
            all.push(format!("such requests to {} too", first(&groups)));
        }
    }
    all
}

/// A list of prefixes, the first of them.
pub(super) fn prefixes(all: &[Prefix]) -> String {
    let all: Vec<String> = all.iter().map(|prefix| prefix.0.to_string()).collect();
    first(&all)
}

/// The first of a list.
fn first(all: &[String]) -> String {
    let shown = all.get(..MOST_SHOWN).unwrap_or(all).join(", ");
    match all.len().saturating_sub(MOST_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What its operator must know of since the last look.
fn log_changes(before: &ReflectorCounters, now: &ReflectorCounters, has_repeated: &mut bool) {
    log_ignored(before, now);
    log_contradictory(before, now);
    log_repeated(has_repeated, now);
}

/// Requests since the last look that cannot be followed, for their operator (RFC 10052 section 4.3; row
/// SL-13).
fn log_contradictory(before: &ReflectorCounters, now: &ReflectorCounters) {
    let packets = now.control.contradictory - before.control.contradictory;
    if packets > 0 {
        warn!(packets, "requests for several replies and for none");
    }
}

/// That requests for several replies were not followed, once: their operator looks for a fault elsewhere.
fn log_repeated(has_repeated: &mut bool, now: &ReflectorCounters) {
    if now.control.repeated > 0 && !*has_repeated {
        *has_repeated = true;
        warn!(
            "a request for several replies got one: its number or its HMAC is that of an earlier request, as of a \
             replay; if a sender was started again, have it send from another port"
        );
    }
}

/// What was ignored since the last look, a line for each kind.
pub(super) fn log_ignored(before: &ReflectorCounters, now: &ReflectorCounters) {
    for ((kind, count), (_, earlier)) in now.ignored_by_kind().zip(before.ignored_by_kind()) {
        let packets = count.saturating_sub(earlier);
        if packets > 0 && kind == Ignored::NoReplyWanted.name() {
            info!(packets, "not answered, as their sender wants no reply");
        } else if packets > 0 {
            info!(kind, packets, "ignored");
        }
    }
}
