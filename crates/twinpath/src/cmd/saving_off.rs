//! In place of `--save` in a build that cannot: nothing is ever saved.

use std::convert::Infallible;
use std::net::SocketAddr;

use twinpath_metrics::Record;
use twinpath_proto::sender::Protocol;
use twinpath_runtime::SenderPlan;
use twinpath_runtime::sender::BooksFacts;
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{Tos, Wall};

use crate::args::{LogOptions, SavingOptions};
use crate::failure::Failure;
use crate::output::{Meta, Outcome, Written};

pub(super) struct Place(Infallible);

pub(super) struct Saving(Infallible);

pub(super) struct Beginning<'a> {
    pub(super) protocol: Protocol,
    pub(super) mode: SecurityMode,
    pub(super) sender: SocketAddr,
    pub(super) reflector: SocketAddr,
    pub(super) tos: Tos,
    pub(super) plan: &'a SenderPlan,
    pub(super) books: &'a BooksFacts,
}

impl Place {
    #[expect(clippy::unnecessary_wraps, reason = "as where runs can be saved")]
    pub(super) fn open(_: &SavingOptions, _: &LogOptions) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    pub(super) fn begin(self, _: &Meta, _: Wall, _: &[Beginning<'_>]) -> Saving {
        match self.0 {}
    }
}

impl Saving {
    pub(super) fn record(&mut self, _: usize, _: &Record) {
        match self.0 {}
    }

    pub(super) fn look(&mut self) -> Option<String> {
        match self.0 {}
    }

    pub(super) fn say(&self, _: String) {
        match self.0 {}
    }

    pub(super) fn finish(self, _: Outcome<'_>) -> Option<Written> {
        match self.0 {}
    }
}
