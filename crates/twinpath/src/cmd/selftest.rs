//! `twinpath selftest`: what this host can do, then both ends over loopback in one process, without
//! and with a control connection.

#[cfg(feature = "control")]
mod controlled;

use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tracing::Level;
use twinpath_proto::sender::{Fill, Limit, Schedule};
use twinpath_proto::stamp::StampKeys;
use twinpath_report::SessionReport;
use twinpath_runtime::host::{self, HostSurvey};
use twinpath_runtime::{PathOptions, ResponderPlan, SenderPlan, responder};

use super::measure::{self, Run};
use super::plain_run::PlainRun;
use super::unwritten;
use crate::args::SelftestArgs;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::json::{self, Document};
use crate::output::style::Style;
use crate::output::{Meta, print_to_stderr, stdout, survey, text, units};
use crate::plan;
use crate::signals::Signals;

const TIMEOUT: Duration = Duration::from_secs(2);

/// A session of the self-test.
type Session = fn(&SelftestArgs, &Signals) -> Result<SessionReport, Failure>;

/// Those beside one for each address family.
const FURTHER: &[Session] = &[
    #[cfg(feature = "control")]
    controlled::session,
];

pub(super) fn run(args: &SelftestArgs) -> Result<Exit, Failure> {
    logs::start(&args.log, Level::WARN)?;
    let signals = Signals::listen()?.with_hangups()?;
    let survey = host::survey()?;
    let style = Style::of(&io::stdout());
    let mut out = BufWriter::new(stdout());
    if !args.json
        && let Err(error) = survey::text(&survey, &mut out)
    {
        return unwritten(&error);
    }
    let mut reports = Vec::new();
    for address in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        if signals.stop_requested() {
            break;
        }
        match session(address, args, &signals) {
            Ok(report) => reports.push(report),
            // One family is enough to be healthy: many hosts have no IPv6.
            Err(failure) if address.is_ipv6() && !reports.is_empty() => {
                if !args.log.quiet {
                    print_to_stderr(&format!("no session over IPv6: {failure}"));
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    for session in FURTHER {
        if !signals.stop_requested() {
            reports.push(session(args, &signals)?);
        }
    }
    for (index, report) in reports.iter_mut().enumerate() {
        report.identity.number = index + 1;
    }
    match write(&survey, &reports, args.json, style, &mut out) {
        Ok(()) => verdict(&reports),
        Err(error) => unwritten(&error),
    }
}

fn session(
    address: IpAddr,
    args: &SelftestArgs,
    signals: &Signals,
) -> Result<SessionReport, Failure> {
    let reflector = responder::start(&responder_plan(address, args), StampKeys::default())?;
    let far = reflector.listening().first().copied();
    let far = far.ok_or_else(|| Failure::could_not(format!("cannot listen on {address}")))?;
    let plan = sender_plan(far, args);
    let report = measured(PlainRun::of_one(plan)?, signals)?;
    reflector.join()?;
    Ok(report)
}

/// What a run of one session came to.
fn measured(run: impl Run, signals: &Signals) -> Result<SessionReport, Failure> {
    let session = measure::finish(run, signals)?.sessions.pop();
    let report = session.map(|(_, ended)| ended.report());
    report.ok_or_else(|| Failure::could_not("no session over the control connection"))
}

fn write(
    survey: &HostSurvey,
    reports: &[SessionReport],
    json: bool,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let meta = Meta::here(&[]);
    if json {
        return json::write(
            &Document::new(&meta, reports.into()).with_survey(survey),
            out,
        );
    }
    for report in reports {
        writeln!(out)?;
        text::write(report, &meta, style, out)?;
    }
    out.flush()
}

/// Healthy: something was measured, and loopback lost nothing.
fn verdict(reports: &[SessionReport]) -> Result<Exit, Failure> {
    let sent: u64 = reports.iter().map(|report| report.counters.sent).sum();
    let lost: u64 = reports.iter().map(|report| report.counters.lost).sum();
    if sent == 0 {
        return Err(Failure::could_not("stopped before anything was measured"));
    }
    if lost > 0 {
        let were = if lost == 1 { "was" } else { "were" };
        let sent = units::count(sent, "packet", "packets");
        let line = format!("{lost} of {sent} {were} lost over loopback, which should lose none");
        return Err(Failure::could_not(line)
            .with_remedy(Some("see this host's packet filter and its load")));
    }
    Ok(Exit::Done)
}

fn responder_plan(address: IpAddr, args: &SelftestArgs) -> ResponderPlan {
    let mut plan = ResponderPlan::on(vec![SocketAddr::new(address, 0)]);
    plan.reflector.max_sessions = 16;
    plan.path = path(args);
    plan
}

fn sender_plan(far: SocketAddr, args: &SelftestArgs) -> SenderPlan {
    SenderPlan {
        near: Some(far.ip()),
        limit: Limit::Count(args.count.0),
        schedule: Schedule::every(args.interval.0),
        timeout: TIMEOUT,
        fill: Fill::Zero,
        path: path(args),
        records: false,
        seed: plan::seed(),
        ..SenderPlan::to(far)
    }
}

fn path(args: &SelftestArgs) -> PathOptions {
    PathOptions {
        portable: args.portable,
        ..PathOptions::default()
    }
}
