//! `twinpath daemon`.

use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, info, warn};
use twinpath_report::words;

use super::output_files::distinct_files;
use super::responder::open_socket;
use crate::args::DaemonArgs;
use crate::daemon::{self, Control, Daemon, NetconfServer, Owner, Source, serve};
use crate::exporter::Exporter;
use crate::failure::{Exit, Failure};
use crate::http::Guarded;
use crate::logs;
use crate::output::ends::named;
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
    let unconfirmed = source.recover()?;
    let configuration = source.read_recovered(&unconfirmed)?;
    if let Some(remark) = configuration.remark() {
        warn!("{remark}");
    }
    let reload = ReloadSignal::listen()?;
    // Its end takes a bounded time: another signal changes nothing.
    let signals = Signals::listen()?.without_second();
    let mut service = Service::of_environment();
    let mut daemon = Daemon::start(&configuration.settings)?;
    let mut exporter = Exporter::new();
    daemon.put(&configuration);
    if let Some(line) = daemon.about_store() {
        info!("{line}");
    }
    let (owner, control) = daemon::control(source, unconfirmed, configuration);
    let api = open_api(&owner, &control, &exporter, &daemon)?;
    if let Some(api) = &api {
        announce(api, &mut daemon);
    }
    let netconf = open_netconf(&owner, &control)?;
    let mut socket = open_socket(&args.control_socket, "daemon", &[], &args.log)?;
    let mut is_ready = false;
    let mut is_reread = true;
    while !signals.stop_requested() {
        thread::sleep(TURN_EVERY);
        daemon.turn();
        daemon.attend(&mut exporter);
        owner.attend(&mut daemon);
        socket.answer(|name| daemon.document(name));
        if !is_ready && daemon.is_settled() {
            is_ready = true;
            service.ready();
        }
        service.attend(|| true, || daemon.summary());
        if reload.requested() {
            service.reloading();
            is_reread = false;
        }
        if !is_reread {
            is_reread = owner.reread(&mut daemon, || {
                if let Some(api) = &api {
                    api.reread();
                }
                if let Some(netconf) = &netconf {
                    netconf.reread();
                }
            });
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
    owner.source().remove_directory();
    Ok(Exit::Done)
}

/// Says where the page is.
fn announce(api: &Guarded, daemon: &mut Daemon) {
    if let Some(listening) = api.listening() {
        let page = format!("{}://{}/", api.scheme(), named(listening));
        info!("page at {page}");
        daemon.show_at(&page);
    }
    if let Some(path) = api.socket() {
        info!("HTTP at the Unix socket {}", path.display());
    }
}

/// Serves the page, metrics and RESTCONF, where that is configured.
fn open_api(
    owner: &Owner,
    control: &Control,
    exporter: &Exporter,
    daemon: &Daemon,
) -> Result<Option<Guarded>, Failure> {
    let endpoints = owner.endpoints();
    if endpoints.is_nowhere() {
        return Ok(None);
    }
    let start = |endpoints| serve(endpoints, exporter.scrapes(), daemon, control.clone());
    match start(&endpoints) {
        Err(_) if owner.source().is_demonstration() => start(&endpoints.at_any_port()),
        api => api,
    }
    .map(Some)
}

/// Serves NETCONF, where that is configured.
fn open_netconf(owner: &Owner, control: &Control) -> Result<Option<NetconfServer>, Failure> {
    let Some(settings) = owner.netconf() else {
        return Ok(None);
    };
    let server = NetconfServer::start(settings, control.clone())?;
    info!("NETCONF at {}", named(server.listening()));
    Ok(Some(server))
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
