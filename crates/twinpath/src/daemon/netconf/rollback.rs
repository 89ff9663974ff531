//! Commits that are not confirmed in time are undone (RFC 6241 section 8.4).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{error, info};
use twinpath_runtime::wall;
use twinpath_yang::netconf::events::{self, Origin};

use super::{Shared, requests};

/// Undoes commits when that is due, for ever.
pub(super) async fn serve(shared: Arc<Shared>) {
    loop {
        let due = shared.control.datastores().poll_timeout();
        let now = shared.now();
        tokio::select! {
            () = shared.rollback.notified() => {}
            () = until(due.map(|due| due.saturating_sub(now))) => {}
        }
        if shared.control.datastores().poll_timeout().is_some() {
            undo(&shared).await;
        }
    }
}

async fn until(due: Option<Duration>) {
    match due {
        Some(due) => sleep(due).await,
        None => std::future::pending().await,
    }
}

async fn undo(shared: &Arc<Shared>) {
    let changing = shared.control.begin().await;
    let Some(commit) = shared.control.datastores().poll(shared.now()) else {
        return;
    };
    match requests::commit(shared, &changing, commit, None).await {
        Ok(()) => {
            info!("configuration changed by NETCONF: a commit that was not confirmed is undone");
        }
        Err(errors) => {
            let why = errors.first().map_or("", |error| error.message.as_str());
            error!("a commit by NETCONF was not confirmed, and could not be undone: {why}");
        }
    }
    notify(shared);
}

/// Notifies of what happened to commits that are to be confirmed, and has the time looked at again.
pub(super) fn notify(shared: &Shared) {
    let happened = shared.control.datastores().take_events();
    for (session, event) in happened {
        let by = shared.sessions.by(session);
        let origin = by.as_ref().map_or(
            Origin {
                user: "",
                session,
                source_host: None,
            },
            |by| by.origin(),
        );
        let event = events::confirmed_commit(&shared.model.schema, &origin, event);
        shared.control.notices().add(wall(), event);
    }
    shared.rollback.notify_one();
}
