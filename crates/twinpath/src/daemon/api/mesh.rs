//! The page of a mesh: a matrix of its nodes, with a cell for each direction of each pair.

mod matrix;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};

use crate::daemon::mesh::{MeshReport, MeshState};
use crate::http::{Reply, reply, short};

use super::markup::encoded;
use super::{HTML, Query, State};

/// Answers what is below `/mesh`; `part` follows that.
pub(super) fn answer(part: &str, state: &State, query: &Query) -> Reply {
    let Some(mesh) = &state.mesh else {
        let line = "no mesh is configured: add [mesh] to the configuration";
        return short(StatusCode::NOT_FOUND, line);
    };
    if let Some(cell) = part.strip_prefix('/').filter(|cell| !cell.is_empty()) {
        return to_session(cell, mesh);
    }
    let is_synchronized = state.clock.synchronized;
    let report = MeshReport::of(
        mesh,
        &state.entries,
        &state.alarms,
        is_synchronized,
        query.get("own").is_none(),
    );
    match part {
        ".json" => {
            let mut octets = serde_json::to_vec(&report).unwrap_or_default();
            octets.push(b'\n');
            reply(StatusCode::OK, "application/json", octets)
        }
        "" | "/" => {
            let page = matrix::page(state, mesh, report.as_ref(), query);
            reply(StatusCode::OK, HTML, page.into_bytes())
        }
        _ => short(StatusCode::NOT_FOUND, "see /mesh and /mesh.json"),
    }
}

/// Leads from a cell, which is MESH/FROM/TO by their places, to the page of its session.
fn to_session(cell: &str, mesh: &MeshState) -> Reply {
    let absent = || short(StatusCode::NOT_FOUND, "no such cell: see /mesh");
    let parts: Result<Vec<usize>, _> = cell.split('/').map(str::parse).collect();
    let (Some(document), Ok([number, from, to])) = (
        mesh.document.as_deref(),
        parts
            .as_deref()
            .map(<[usize; 3]>::try_from)
            .map_err(|_| ())
            .and_then(|it| it.map_err(|_| ())),
    ) else {
        return absent();
    };
    let Some(place) = document.session_page(number, [from, to], mesh.node) else {
        return absent();
    };
    let target = format!(
        "{}/session/{}",
        place.page.trim_end_matches('/'),
        encoded(&place.session)
    );
    let mut reply = short(StatusCode::SEE_OTHER, &target);
    if let Ok(value) = HeaderValue::from_str(&target) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}
