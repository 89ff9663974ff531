//! `twinpath daemon`.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, error, info, warn};
use twinpath_report::words;

use super::output_files::distinct_files;
use super::responder::open_socket;
use crate::args::DaemonArgs;
use crate::daemon::{Api, Configuration, Daemon, Source};
use crate::exporter::Exporter;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::ends::named;
use crate::output::units::count;
use crate::service::Service;
use crate::signals::{ReloadSignal, Signals};

/// How often everything is looked at.
const TURN_EVERY: Duration = Duration::from_millis(50);
/// How long the end may take: sessions wait for their last replies, servers for their clients.
const LONGEST_END: Duration = Duration::from_secs(15);

pub(super) fn run(args: &DaemonArgs) -> Result<Exit, Failure> {
    let source = Source::of(args.config.as_deref())?;
    distinct_files(&args.log.written_files(), &source.read_files())?;
    logs::start_service(&args.log, Level::INFO, args.log_form.log_format)?;
    let configuration = source.read()?;
    let reload = ReloadSignal::listen()?;
    // Its end takes a bounded time: another signal changes nothing.
    let signals = Signals::listen()?.without_second();
    let mut service = Service::of_environment();
    let mut daemon = Daemon::start(&configuration.settings)?;
    if let Some(line) = daemon.about_store() {
        info!("{line}");
    }
    let mut exporter = Exporter::new();
    let api = open_api(&source, &configuration, &exporter, &daemon)?;
    if let Some(api) = &api {
        info!("page at http://{}/", named(api.listening()));
        daemon.show_at(api.listening());
    }
    let mut control = open_socket(&args.control_socket, "daemon", &[], &args.log)?;
    let mut current = put_in_force(&mut daemon, configuration);
    let mut is_ready = false;
    while !signals.stop_requested() {
        thread::sleep(TURN_EVERY);
        daemon.turn();
        daemon.attend(&mut exporter);
        if let Some(api) = &api {
            api.attend(&daemon);
        }
        control.answer(|name| daemon.document(name));
        if !is_ready && daemon.is_settled() {
            is_ready = true;
            service.ready();
        }
        service.attend(|| true, || daemon.summary());
        if reload.requested() {
            service.reloading();
            current = reread(&source, &mut daemon, current);
            is_ready = false;
        }
    }
    service.stopping();
    end(&mut daemon);
    if let Some(stored) = daemon.close()
        && let Some(error) = stored.error
    {
        warn!("not all rows are stored: {error}");
    }
    Ok(Exit::Done)
}

/// Serves the page and metrics, where that is configured.
fn open_api(
    source: &Source,
    configuration: &Configuration,
    exporter: &Exporter,
    daemon: &Daemon,
) -> Result<Option<Api>, Failure> {
    let Some(address) = configuration.settings.listen else {
        return Ok(None);
    };
    let start = |address| Api::start(address, exporter.scrapes(), daemon);
    match start(address) {
        Err(_) if source.is_demonstration() => start(SocketAddr::new(address.ip(), 0)),
        api => api,
    }
    .map(Some)
}

/// Has the daemon do what a configuration says.
fn put_in_force(daemon: &mut Daemon, configuration: Configuration) -> Configuration {
    daemon.apply(&configuration.settings);
    configuration
}

/// Reads the configuration and key files again. One with faults changes nothing.
fn reread(source: &Source, daemon: &mut Daemon, current: Configuration) -> Configuration {
    match source.read() {
        Ok(configuration) => {
            daemon.reread_keys();
            let changes = current.differences(&configuration);
            let changes = count(changes.len() as u64, "change", "changes");
            info!("configuration read again: {changes}");
            for key in daemon.needs_restart(&configuration.settings) {
                warn!("{key} changes when the daemon is started again");
            }
            put_in_force(daemon, configuration)
        }
        Err(failure) => {
            for fault in failure.earlier.iter().chain([&failure]) {
                error!("{fault}");
            }
            warn!("the configuration stays as it was");
            current
        }
    }
}

/// Ends everything; what takes too long is left.
fn end(daemon: &mut Daemon) {
    daemon.stop();
    let by = Instant::now() + LONGEST_END;
    while !daemon.is_over() {
        if Instant::now() >= by {
            warn!("something did not end within {}", words::time(LONGEST_END));
            return;
        }
        thread::sleep(TURN_EVERY);
        daemon.turn();
    }
    info!("ended");
}
