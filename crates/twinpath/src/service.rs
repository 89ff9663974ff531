//! The service manager that started the program (systemd, or who does as it does): sockets that it passes, and what it is
//! told (sd_notify(3)). Without one nothing happens here.

#[cfg_attr(not(target_os = "linux"), path = "service/none.rs")]
mod notify;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use notify::State;
use tracing::warn;
use twinpath_runtime::activation::{self, PassedSocket};

use crate::failure::Failure;
use crate::output::ends::named;

/// The variable of the environment with the directory of a service's credentials (systemd.exec(5)).
pub(crate) const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// How often what it shows of the program is renewed.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// The service manager's view of the program.
pub(crate) struct Service {
    is_managed: bool,
    watchdog: Option<Watchdog>,
    status: String,
    status_due: Instant,
}

/// It ends a program that does not report in time.
struct Watchdog {
    every: Duration,
    due: Instant,
}

impl Service {
    /// As the environment has it.
    pub(crate) fn of_environment() -> Self {
        let now = Instant::now();
        let patience = notify::watchdog();
        Self {
            is_managed: notify::is_managed(),
            // Twice in the time that it allows, as it recommends.
            watchdog: patience.map(|patience| Watchdog {
                every: patience / 2,
                due: now,
            }),
            status: String::new(),
            status_due: now,
        }
    }

    /// Whether it is to be told anything.
    pub(crate) fn is_managed(&self) -> bool {
        self.is_managed
    }

    /// The program does its work, for the first time or after a reload.
    pub(crate) fn ready(&self) {
        self.tell(&[State::Ready]);
    }

    /// It reads its files again; [`Self::ready`] says that it has.
    pub(crate) fn reloading(&self) {
        self.tell(&[State::Reloading]);
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.tell(&[State::Stopping]);
    }

    /// What is due. `has_turned`: whether all loops have gone round since it was asked the last time and this was so, and
    /// wakes them; only then the program counts as alive.
    pub(crate) fn attend(
        &mut self,
        has_turned: impl FnOnce() -> bool,
        status: impl FnOnce() -> String,
    ) {
        if !self.is_managed {
            return;
        }
        let now = Instant::now();
        if let Some(watchdog) = &mut self.watchdog
            && now >= watchdog.due
            && has_turned()
        {
            watchdog.due = now + watchdog.every;
            self.tell(&[State::Alive]);
        }
        if now >= self.status_due {
            self.status_due = now + STATUS_EVERY;
            let status = status();
            if status != self.status {
                self.status = status;
                self.tell(&[State::Status(&self.status)]);
            }
        }
    }

    fn tell(&self, states: &[State<'_>]) {
        if self.is_managed
            && let Err(error) = notify::tell(states)
        {
            warn!(%error, "cannot notify the service manager");
        }
    }
}

/// The sockets that the service manager passes. To be called before the program opens anything: a descriptor that is
/// not there has no number that another can have.
///
/// # Errors
/// The environment makes no sense.
pub(crate) fn passed_sockets() -> Result<Vec<PassedSocket>, Failure> {
    activation::take().map_err(|error| {
        let line = format!("cannot take the sockets of the service manager (LISTEN_FDS): {error}");
        Failure::could_not(line)
    })
}

/// Whether these sockets are at addresses of the command line, if it has any.
///
/// # Errors
/// One is not.
pub(crate) fn check_addresses(
    passed: &[PassedSocket],
    given: Option<&[SocketAddr]>,
) -> Result<(), Failure> {
    let Some(given) = given else {
        return Ok(());
    };
    for near in passed.iter().filter_map(PassedSocket::local) {
        if !given.contains(&near) {
            let line = format!(
                "the service manager passes a socket on {}, which is not the address given to listen on",
                named(near)
            );
            let remedy = "leave the address out, or give the one of the socket unit";
            return Err(Failure::usage(line).with_remedy(Some(remedy)));
        }
    }
    Ok(())
}

/// Whether a file is a credential of this service: in a directory that no other user can enter.
pub(crate) fn is_credential(path: &Path) -> bool {
    let directory = std::env::var_os(CREDENTIALS_DIRECTORY);
    directory.is_some_and(|directory| path.parent() == Some(Path::new(&directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(watchdog: Option<Watchdog>) -> Service {
        Service {
            is_managed: true,
            watchdog,
            status: String::new(),
            status_due: Instant::now() + STATUS_EVERY,
        }
    }

    #[test]
    fn a_program_whose_loops_stand_still_does_not_count_as_alive() {
        let start = Instant::now();
        let mut service = service(Some(Watchdog {
            every: Duration::from_mins(1),
            due: start,
        }));
        let due = |service: &Service| service.watchdog.as_ref().map(|watchdog| watchdog.due);
        service.attend(|| false, || unreachable!());
        assert_eq!(due(&service), Some(start));
        service.attend(|| true, || unreachable!());
        assert!(due(&service) >= Some(start + Duration::from_mins(1)));
        // Nor is it asked before the next one is due: what has turned by then is what counts.
        service.attend(|| unreachable!(), || unreachable!());
    }
}
