//! What one change of the configuration does.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use twinpath_yang::Children;

use super::{Ask, By, ChangeError, Changed, Changing, Running};
use crate::daemon::source::Step;
use crate::failure::Failure;

impl Changing {
    /// What is in force, which nothing else changes.
    pub(in crate::daemon) fn running(&self) -> &Arc<Running> {
        &self.from
    }

    /// Refuses a change by what is not a session of NETCONF, where such a session has a lock or a commit that is not
    /// confirmed yet (RFC 8040 section 1.4).
    ///
    /// # Errors
    /// The session that has it.
    pub(in crate::daemon) fn check_unlocked(&self) -> Result<(), ChangeError> {
        match self.control.shared.obstacle() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Puts a tree in force, keeps it in the files of the configuration, and notifies of what it changes; `by`: who wants
    /// it; `None`: the daemon itself. It is not to be left before its end, as where a client is gone: the files would have what is not in force.
    /// What is undone is in force even where the files cannot be written, which is tried again.
    ///
    /// # Errors
    /// Why it is not in force.
    pub(in crate::daemon) async fn put(
        &self,
        root: Children,
        by: Option<By>,
        step: Step,
    ) -> Result<Changed, ChangeError> {
        let from = Arc::clone(&self.from);
        let (shared, base) = (Arc::clone(&self.control.shared), Arc::clone(&from));
        let kept = spawn_blocking(move || shared.kept(&base.configuration, root, step)).await;
        let kept =
            kept.map_err(|error| ChangeError::NotSaved(Failure::could_not(error.to_string())))?;
        let Some(to) = kept? else {
            let to = Arc::clone(&from);
            return Ok(Changed { from, to });
        };
        let to = Box::new(to);
        let to = self.control.ask(|answer| Ask::Apply(to, answer)).await;
        let to = to.ok_or(ChangeError::Late)?;
        let shared = Arc::clone(&self.control.shared);
        let changed = Changed { from, to };
        let (from, to) = (Arc::clone(&changed.from), Arc::clone(&changed.to));
        // It is in force, whether or not that is notified.
        let _notified = spawn_blocking(move || shared.notify_change(&from, &to, by.as_ref())).await;
        Ok(changed)
    }

    /// Has nothing undone at a start that is in force now.
    ///
    /// # Errors
    /// That cannot be written yet, which is tried again.
    #[cfg_attr(
        not(feature = "netconf"),
        expect(dead_code, reason = "commits of NETCONF are confirmed")
    )]
    pub(in crate::daemon) async fn confirm(&self) -> Result<(), Failure> {
        let shared = Arc::clone(&self.control.shared);
        let confirm = move || shared.source.confirm(&mut shared.unconfirmed());
        let confirmed = spawn_blocking(confirm).await;
        confirmed.unwrap_or_else(|error| Err(Failure::could_not(error.to_string())))
    }
}
