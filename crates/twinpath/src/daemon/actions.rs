//! What the sessions of a daemon can be asked for.

use tracing::info;
use twinpath_yang::{Children, Path, Schema, Select};

use super::Daemon;
use super::part::Part;
use super::sessions::MeasuredSessions;

/// What a session can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionAction {
    /// Reset all figures.
    Clear,
    /// Send a packet at once.
    RunNow,
}

impl SessionAction {
    /// The action that a path leads to, and its session; `None`: that does not exist.
    /// `is_derived`: whether a session is one of a mesh.
    pub(super) fn asked(
        schema: &Schema,
        root: &Children,
        path: &Path,
        is_derived: impl Fn(&str) -> bool,
    ) -> Option<(String, Self)> {
        let parent = path.parent()?;
        let Select::Key(key) = &parent.steps().last()?.select else {
            return None;
        };
        let name = key.first()?.as_str()?;
        if !root.has(&parent) && !is_derived(name) {
            return None;
        }
        let action = match &*schema.node(path.node()?).name {
            "clear" => Self::Clear,
            "run-now" => Self::RunNow,
            _ => return None,
        };
        Some((name.to_owned(), action))
    }
}

impl Daemon {
    /// Has all measurements of a session do this.
    ///
    /// # Errors
    /// Why none of them can.
    pub(crate) fn act(&self, session: &str, action: SessionAction) -> Result<(), String> {
        let Some(part) = self.sessions.get(session) else {
            return Err(format!(
                "session {session}: nothing of this name runs: write the name of a session that is enabled"
            ));
        };
        let run = part.running().ok_or_else(|| not_running(part))?;
        let mut handles = run.open().peekable();
        if handles.peek().is_none() {
            return Err(format!(
                "session {session} is not open: the server has not accepted it yet"
            ));
        }
        for handle in handles {
            match action {
                SessionAction::Clear => handle.clear(),
                SessionAction::RunNow => handle.send_now(),
            }
        }
        match action {
            SessionAction::Clear => info!("session {session}: figures are reset"),
            SessionAction::RunNow => info!("session {session}: a packet is sent at once"),
        }
        Ok(())
    }
}

fn not_running(part: &Part<MeasuredSessions>) -> String {
    let (name, state) = (part.name(), part.state());
    match part.failure() {
        Some(why) => format!("session {name} does not run: {why}"),
        None => format!("session {name} does not run: it is {state}"),
    }
}

#[cfg(test)]
mod tests;
