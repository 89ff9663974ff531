//! The commands that speak TWAMP-Control.

mod controlclient;
mod controller;
mod reaching;
mod server;

use crate::args::ControlCommand;
use crate::failure::{Exit, Failure};
use crate::plan::EnvironmentPassphrase;

pub(super) use controller::{ControlledRun, measured, planned};

pub(super) fn run(command: &ControlCommand, given: EnvironmentPassphrase) -> Result<Exit, Failure> {
    match command {
        ControlCommand::Controller(args) => controller::run(args, given),
        ControlCommand::Server(args) => server::run(args, given.unused_by_server()),
        ControlCommand::Controlclient(args) => controlclient::run(args, given),
    }
}
