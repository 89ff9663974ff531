//! Responders and servers.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::info;
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::ResponderPlan;
use twinpath_runtime::keys::KeyRing;
use twinpath_runtime::responder::{self, ResponderRun};
use twinpath_runtime::server::{self, ServerPlan, ServerRun};
use twinpath_wire::control::Modes;

use crate::args::{Limited, ResponderArgs, ServerArgs};
use crate::cmd::RereadKeys;
use crate::failure::Failure;
use crate::output::ends::named;
use crate::output::units::count;
use crate::plan::{self, system_lookup};

use super::Resources;
use super::part::Runs;
use super::settings::Options;

/// What runs on each of several addresses: the same options with one of them each.
pub(super) type OnAddresses<A> = Vec<Options<A>>;

/// A Session-Reflector without control connections.
pub(super) struct Responder {
    run: ResponderRun,
}

/// A Server with its Session-Reflectors.
pub(super) struct Server {
    run: ServerRun,
    /// The modes that it offers.
    modes: Modes,
}

/// What a responder would do.
///
/// # Errors
/// What is not possible.
pub(super) fn responder_plan(
    spec: &OnAddresses<ResponderArgs>,
    lookup: plan::Lookup<'_>,
) -> Result<(ResponderPlan, StampKeys), Failure> {
    let mut all: Option<(ResponderPlan, StampKeys)> = None;
    for options in spec {
        let plan = plan::responder(&options.args, lookup)?;
        match &mut all {
            Some((first, _)) => first.near.extend(plan.near),
            None => all = Some((plan, plan::stamp_keys(&options.args.keys)?)),
        }
    }
    all.ok_or_else(|| Failure::could_not("no address to listen on"))
}

/// What a server is configured for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ServerSpec {
    pub(super) on: OnAddresses<ServerArgs>,
    /// Extensions that it offers; `None`: all.
    pub(super) extensions: Option<Modes>,
}

/// What a server would do.
///
/// # Errors
/// What is not possible.
pub(super) fn server_plan(
    spec: &ServerSpec,
    lookup: plan::Lookup<'_>,
) -> Result<ServerPlan, Failure> {
    let mut all: Option<ServerPlan> = None;
    for options in &spec.on {
        let plan = plan::server(&options.args, lookup)?;
        match &mut all {
            Some(first) => first.near.extend(plan.near),
            None => all = Some(plan),
        }
    }
    let mut plan = all.ok_or_else(|| Failure::could_not("no address to listen on"))?;
    if let Some(extensions) = spec.extensions {
        plan.modes = plan.modes.without(Modes::FEATURES.without(extensions));
    }
    Ok(plan)
}

/// The options of a spec that differs from an earlier one in nothing but limits, which can change as it runs.
fn differ_in_limits<'a, A: Limited>(
    earlier: &OnAddresses<A>,
    spec: &'a OnAddresses<A>,
) -> Option<&'a Options<A>> {
    let mut both = earlier.iter().zip(spec);
    let alike = both.all(|(earlier, options)| earlier.differs_only_in(options, A::LIMITS));
    spec.first()
        .filter(|_| alike && earlier.len() == spec.len())
}

fn listening(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().copied().map(named).collect();
    format!("listening on {}", addresses.join(", "))
}

impl Responder {
    pub(super) fn run(&self) -> &ResponderRun {
        &self.run
    }

    /// Reads its key file again.
    pub(super) fn reread(&self, spec: &OnAddresses<ResponderArgs>) {
        let keys = spec.first().map(|options| &options.args.keys);
        let Some((path, keys)) = keys.and_then(|keys| Some((keys.hmac_key_file.as_deref()?, keys)))
        else {
            return;
        };
        let file = RereadKeys::new(path, keys.insecure_key_file);
        if let Some((path, keys)) = file.reread::<StampKeys>() {
            let number = count(keys.len() as u64, "key", "keys");
            info!("{}: {number} read", path.display());
            self.run.replace_keys(keys);
        }
    }
}

impl Server {
    pub(super) fn run(&self) -> &ServerRun {
        &self.run
    }

    /// Reads its key file again.
    pub(super) fn reread(&self, spec: &ServerSpec) {
        let keys = spec.on.first().map(|options| &options.args.keys);
        let Some((path, keys)) = keys.and_then(|keys| Some((keys.keys.as_deref()?, keys))) else {
            return;
        };
        let file = RereadKeys::new(path, keys.insecure_key_file);
        if let Some((path, ring)) = file.reread::<KeyRing>() {
            let number = count(ring.len() as u64, "key", "keys");
            info!("{}: {number} read", path.display());
            self.run.replace_keys(ring);
        }
    }
}

impl Runs for Responder {
    type Spec = OnAddresses<ResponderArgs>;
    type Outcome = ();
    const KIND: &'static str = "responder";

    fn begin(_: &Arc<str>, spec: &Self::Spec, _: &Resources) -> Result<Self, Failure> {
        let (plan, keys) = responder_plan(spec, &system_lookup)?;
        let run = responder::start(&plan, keys)?;
        Ok(Self { run })
    }

    fn waits(_: &Self::Spec) -> bool {
        true
    }

    fn place(&self) -> String {
        listening(self.run.listening())
    }

    fn adopt(&mut self, earlier: &Self::Spec, spec: &Self::Spec) -> bool {
        let options = differ_in_limits(earlier, spec);
        let config = options.and_then(|options| plan::reflector(&options.args).ok());
        config
            .map(|config| self.run.replace_config(config))
            .is_some()
    }

    fn stop(&self) {
        self.run.stop();
    }

    fn is_finished(&self) -> bool {
        self.run.is_finished()
    }

    fn outcome(&self) {}

    fn end(self, _: &Resources) -> Result<(), Failure> {
        self.run.join()?;
        Ok(())
    }
}

impl Runs for Server {
    type Spec = ServerSpec;
    type Outcome = ();
    const KIND: &'static str = "server";

    fn begin(_: &Arc<str>, spec: &Self::Spec, _: &Resources) -> Result<Self, Failure> {
        let plan = server_plan(spec, &system_lookup)?;
        let modes = plan.modes;
        let run = server::start(plan)?;
        Ok(Self { run, modes })
    }

    fn waits(_: &Self::Spec) -> bool {
        true
    }

    fn place(&self) -> String {
        listening(self.run.listening())
    }

    fn adopt(&mut self, earlier: &Self::Spec, spec: &Self::Spec) -> bool {
        let modes = self.modes;
        let is_alike = earlier.extensions == spec.extensions;
        let options = differ_in_limits(&earlier.on, &spec.on).filter(|_| is_alike);
        let limits = options.and_then(|options| plan::server_limits(&options.args, modes).ok());
        limits
            .map(|limits| self.run.replace_limits(limits))
            .is_some()
    }

    fn stop(&self) {
        self.run.stop();
    }

    fn is_finished(&self) -> bool {
        self.run.is_finished()
    }

    fn outcome(&self) {}

    fn end(self, _: &Resources) -> Result<(), Failure> {
        self.run.join()?;
        Ok(())
    }
}
