//! `twinpath doctor --strict`: malformed, odd and hostile packets and messages, as conformance tests send them.
//!
//! A [`Trial`] is data: its name, the RFC section that it tries, what it sends, and a pure judge of what came
//! back. The trials of a part of a protocol are a file; [`PARTS`] lists the parts. [`run`] sends them by a
//! [`Link`]: the network, or in tests a far end that errs in a defined way.

mod authenticated;
mod control;
mod datagrams;
mod dialogues;
mod exchange;
mod form;
mod heard;
#[cfg(feature = "control")]
mod in_mode;
mod light;
mod network;
mod plain;
mod stamp;
mod steps;
mod tlv;
mod tlv_hmac;
mod tlv_lengths;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
#[cfg(feature = "control")]
use twinpath_proto::security::Credentials;
use twinpath_proto::stamp::{StampKey, StampKeys};
#[cfg(feature = "control")]
use twinpath_runtime::keys::Key;
use twinpath_runtime::probe::{Train, TrainSeen};
use twinpath_wire::Wall;

use datagrams::{Datagrams, Gate};
use dialogues::Dialogue;
#[cfg(feature = "control")]
use in_mode::InMode;
use steps::Line;

use super::Seen;

pub(crate) use datagrams::MOST_PPS;
pub(crate) use network::NetworkLink;

/// A trial of one requirement.
#[derive(Debug)]
pub(crate) struct Trial<How> {
    /// Its name in JSON, for good.
    id: &'static str,
    /// The RFC and its section.
    rfc: u16,
    section: &'static str,
    /// What it sends, in one line without a full stop.
    sends: &'static str,
    how: How,
}

/// What a table says of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: &'static str,
    pub(crate) rfc: u16,
    pub(crate) section: &'static str,
    pub(crate) sends: &'static str,
}

impl Listed {
    const fn of<How>(trial: &Trial<How>) -> Self {
        Self {
            id: trial.id,
            rfc: trial.rfc,
            section: trial.section,
            sends: trial.sends,
        }
    }
}

/// Trials of one part of a protocol.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its name in text.
    pub(crate) name: &'static str,
    trials: Trials,
}

/// How they are made.
#[derive(Debug)]
enum Trials {
    /// By datagrams, where the gate lets them.
    Datagrams(Gate, &'static [Trial<Datagrams>]),
    /// By control connections.
    Dialogues(&'static [Trial<Dialogue>]),
    /// By control connections in one mode, with the user's key if it needs one.
    #[cfg(feature = "control")]
    InMode(&'static [Trial<InMode>]),
}

/// All parts, in the order of the output.
pub(crate) static PARTS: &[&Part] = &[
    &control::SET_UP,
    &control::REQUESTS,
    &control::SESSIONS,
    &control::INDIVIDUAL,
    #[cfg(feature = "control")]
    &control::AUTHENTICATED,
    #[cfg(feature = "control")]
    &control::ENCRYPTED,
    #[cfg(feature = "control")]
    &control::MIXED,
    #[cfg(feature = "control")]
    &control::OPEN_PACKETS,
    #[cfg(feature = "control")]
    &control::OTHER_PACKETS,
    #[cfg(feature = "control")]
    &control::AUTHENTICATED_PACKETS,
    #[cfg(feature = "control")]
    &control::AUTHENTICATED_HMACS,
    #[cfg(feature = "control")]
    &control::ENCRYPTED_PACKETS,
    #[cfg(feature = "control")]
    &control::ENCRYPTED_HMACS,
    &light::PART,
    &stamp::PART,
    &tlv::PART,
    &tlv_lengths::PART,
    &tlv_hmac::PART,
    &tlv_hmac::KEYED,
    &authenticated::PART,
];

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// As the RFC demands.
    Pass,
    /// Not as the RFC demands.
    Fail,
    /// What came back does not tell, or the RFC leaves it open.
    Unclear,
    /// There was no reason to try.
    Skipped,
}

/// Attempts for a trial that does not pass, and for one that may fail for nothing but lost packets.
const ATTEMPTS: usize = 2;
const SILENT_ATTEMPTS: usize = 3;

/// The place of a session's test packets among what can be silent, where a message has 0.
const SILENT_PACKETS: usize = 1;

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    /// What came back, in one sentence without a full stop.
    pub(crate) evidence: String,
    /// It follows from what did not come back, of this packet of the trial: worth nothing where packets are
    /// lost.
    silent_at: Option<usize>,
}

impl Outcome {
    fn new(status: Status, evidence: impl Into<String>) -> Self {
        Self {
            status,
            evidence: evidence.into(),
            silent_at: None,
        }
    }

    fn pass(evidence: impl Into<String>) -> Self {
        Self::new(Status::Pass, evidence)
    }

    fn fail(evidence: impl Into<String>) -> Self {
        Self::new(Status::Fail, evidence)
    }

    fn unclear(evidence: impl Into<String>) -> Self {
        Self::new(Status::Unclear, evidence)
    }

    fn skipped(why: impl Into<String>) -> Self {
        Self::new(Status::Skipped, why)
    }

    /// It follows from silence to a message, or to all datagrams.
    fn by_silence(self) -> Self {
        self.silent_at(0)
    }

    /// It follows from silence to the packet at this place.
    fn silent_at(mut self, place: usize) -> Self {
        self.silent_at = Some(place);
        self
    }

    /// It follows from silence to test packets of a session.
    fn by_silent_packets(self) -> Self {
        self.silent_at(SILENT_PACKETS)
    }

    fn is_of_packets(&self) -> bool {
        self.silent_at == Some(SILENT_PACKETS)
    }

    /// Silence fails nothing after fewer attempts than it takes to show.
    fn settled(self, attempts: usize) -> Self {
        let is_early = self.silent_at.is_some() && attempts < SILENT_ATTEMPTS;
        if self.status == Status::Fail && is_early {
            return Self::unclear(self.evidence);
        }
        self
    }

    /// What follows from a further attempt after `first`, which did not pass. A loss explains a silence that was
    /// broken, or that moved to another packet; what differs otherwise is not settled.
    fn after(self, first: Self) -> Self {
        match (first.status, self.status) {
            (Status::Fail, Status::Pass) if first.silent_at.is_none() => Self::unclear(format!(
                "differs from attempt to attempt: {}; then {}",
                first.evidence, self.evidence
            )),
            (Status::Fail, Status::Fail)
                if first.silent_at.is_some() && first.silent_at != self.silent_at =>
            {
                Self::unclear(format!("{}; then {}", first.evidence, self.evidence))
            }
            (Status::Fail, Status::Unclear | Status::Skipped) => Self::unclear(first.evidence),
            (Status::Unclear, Status::Fail) => Self::unclear(self.evidence),
            (Status::Pass | Status::Fail | Status::Unclear | Status::Skipped, _) => self,
        }
    }

    /// Where plain packets are lost too, silence says nothing.
    fn where_packets_are_lost(self) -> Self {
        if self.silent_at.is_none() {
            return self;
        }
        Self::unclear(format!("{}; but plain packets are lost too", self.evidence))
    }
}

/// Whether a trial that ended so far like this is tried again.
fn is_open(known: Option<&Outcome>, attempts: usize) -> bool {
    let Some(known) = known else { return true };
    match known.status {
        Status::Pass | Status::Skipped => false,
        Status::Fail if known.silent_at.is_some() => attempts < SILENT_ATTEMPTS,
        Status::Fail | Status::Unclear => attempts < ATTEMPTS,
    }
}

/// A trial and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tried {
    pub(crate) id: &'static str,
    pub(crate) rfc: u16,
    pub(crate) section: &'static str,
    pub(crate) sent: &'static str,
    pub(crate) status: Status,
    pub(crate) evidence: String,
}

impl Tried {
    fn of(trial: Listed, outcome: Outcome) -> Self {
        Self {
            id: trial.id,
            rfc: trial.rfc,
            section: trial.section,
            sent: trial.sends,
            status: outcome.status,
            evidence: outcome.evidence,
        }
    }
}

/// Where trials are made.
pub(crate) trait Link {
    /// The time.
    fn now(&self) -> Wall;

    /// Sends trains side by side, and says what came of each; `None`: it was stopped.
    fn trains(&mut self, trains: &[Train]) -> Option<Vec<Result<TrainSeen, String>>>;

    /// No more trials are made.
    fn is_stopped(&self) -> bool;

    /// This key, and what is fresh for each connection; `None`: the system has no random octets.
    #[cfg(feature = "control")]
    fn credentials(&mut self, key: &Key) -> Option<Credentials>;

    /// Connects to a control port; `None`: it was stopped. `Err`: why there is no connection.
    fn connect(
        &mut self,
        far: SocketAddr,
        patience: Duration,
    ) -> Option<Result<Box<dyn Line>, String>>;
}

/// Keys that trials may use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Of authenticated STAMP and of its HMAC TLV, by far end.
    pub(crate) stamp: Arc<StampKeys>,
    /// Of the secured modes of TWAMP-Control.
    #[cfg(feature = "control")]
    pub(crate) control: Option<Key>,
    /// PBKDF2 iterations that a server may ask for at most.
    #[cfg(feature = "control")]
    pub(crate) most_pbkdf2_count: u32,
}

/// Where the parts are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subjects {
    /// Where TWAMP Light is answered.
    light: Option<SocketAddr>,
    /// Where STAMP is answered as such.
    stamp: Option<SocketAddr>,
    /// Where authenticated STAMP is answered, or anything reflects, or the first place with a key.
    authenticated: Option<SocketAddr>,
    /// Where a TWAMP-Control server greets.
    control: Option<SocketAddr>,
}

impl Subjects {
    pub(crate) fn of(seen: &Seen) -> Self {
        let reflector = seen.subject();
        let authenticated = seen.authenticated().map(|exchange| exchange.far);
        Self {
            light: seen.light().map(|exchange| exchange.far),
            stamp: reflector.filter(|_| seen.speaks_stamp()),
            authenticated: authenticated.or_else(|| {
                let mut places = reflector.into_iter().chain(seen.places());
                places.find(|far| seen.stamp_key(*far).is_some())
            }),
            control: super::checks::control_server(seen),
        }
    }
}

impl Keys {
    /// The key of STAMP packets to this place.
    fn stamp(&self, far: SocketAddr) -> Option<&StampKey> {
        self.stamp.for_packet(far.ip(), form::SSID)
    }
}

/// All trials, by their parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conformance(Vec<(&'static str, Vec<Tried>)>);

impl Conformance {
    /// Makes all trials where `seen` says that something answers.
    pub(crate) fn of(seen: &Seen, link: &mut dyn Link) -> Self {
        let subjects = Subjects::of(seen);
        let keys = Keys {
            stamp: Arc::clone(&seen.plan.keys.stamp),
            #[cfg(feature = "control")]
            control: seen.plan.keys.control.clone(),
            #[cfg(feature = "control")]
            most_pbkdf2_count: seen.plan.keys.most_pbkdf2_count,
        };
        Self(run(PARTS, &subjects, &keys, link))
    }

    /// Parts by name.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &[Tried])> {
        self.0.iter().map(|(part, trials)| (*part, &trials[..]))
    }

    pub(crate) fn trials(&self) -> impl Iterator<Item = &Tried> {
        self.0.iter().flat_map(|(_, trials)| trials)
    }

    /// How many trials ended how, for the verdict; `None`: none was made.
    pub(crate) fn summary(&self) -> Option<String> {
        let with = |status: Status| self.trials().filter(|tried| tried.status == status).count();
        let (passed, failed, unclear) = (
            with(Status::Pass),
            with(Status::Fail),
            with(Status::Unclear),
        );
        (passed + failed + unclear > 0).then(|| {
            format!("conformance trials: {passed} passed, {failed} failed, {unclear} unclear")
        })
    }

    /// A trial failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.trials().any(|tried| tried.status == Status::Fail)
    }
}

/// Makes all trials, part by part. What was not reached before it was stopped is skipped.
fn run(
    parts: &[&'static Part],
    subjects: &Subjects,
    keys: &Keys,
    link: &mut dyn Link,
) -> Vec<(&'static str, Vec<Tried>)> {
    let each = parts
        .iter()
        .map(|part| (part.name, part.run(subjects, keys, link)));
    each.collect()
}

/// Datagrams that these parts send at most.
pub(crate) fn most_packets(parts: &[&Part]) -> usize {
    parts.iter().map(|part| part.most_packets()).sum()
}

/// How long these parts take at most.
pub(crate) fn most_time(parts: &[&Part]) -> Duration {
    parts.iter().map(|part| part.most_time()).sum()
}

impl Part {
    pub(crate) fn trials(&self) -> Vec<Listed> {
        match self.trials {
            Trials::Datagrams(_, trials) => trials.iter().map(Listed::of).collect(),
            Trials::Dialogues(trials) => trials.iter().map(Listed::of).collect(),
            #[cfg(feature = "control")]
            Trials::InMode(trials) => trials.iter().map(Listed::of).collect(),
        }
    }

    /// Datagrams and connections at most.
    pub(crate) fn most_packets(&self) -> usize {
        match &self.trials {
            Trials::Datagrams(gate, trials) => datagrams::most_packets(gate, trials),
            Trials::Dialogues(trials) => dialogues::most_packets(trials),
            #[cfg(feature = "control")]
            Trials::InMode(trials) => dialogues::most_packets(trials),
        }
    }

    fn most_time(&self) -> Duration {
        match &self.trials {
            Trials::Datagrams(gate, trials) => datagrams::most_time(gate, trials),
            Trials::Dialogues(trials) => dialogues::most_time(trials),
            #[cfg(feature = "control")]
            Trials::InMode(trials) => dialogues::most_time(trials),
        }
    }

    fn run(&self, subjects: &Subjects, keys: &Keys, link: &mut dyn Link) -> Vec<Tried> {
        match &self.trials {
            Trials::Datagrams(gate, trials) => datagrams::run(gate, trials, subjects, keys, link),
            Trials::Dialogues(trials) => dialogues::run(trials, subjects, keys, link),
            #[cfg(feature = "control")]
            Trials::InMode(trials) => dialogues::run(trials, subjects, keys, link),
        }
    }
}

#[cfg(test)]
mod tests;
