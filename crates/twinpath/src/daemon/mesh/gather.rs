//! What other nodes measure, asked of their pages: in turn, spread over the time of a round, few at once, each within
//! bounds. A page can say what its own node measures, and nothing else.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::StatusCode;
use hyper::Uri;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::clients;
use crate::http::client::{AnswerLimits, Call, Endpoint, EndpointOptions};

use super::document::MeshDocument;
use super::report::{Cell, MeshReport, SCHEMA};
use super::settings::GatherSettings;

/// Pages that are asked at once, at most.
const AT_ONCE: usize = 16;
/// What an answer may take.
const LIMITS: AnswerLimits = AnswerLimits {
    within: Duration::from_secs(5),
    octets: 8 << 20,
};
/// Cells of a page, at most: both directions of all sessions of a node.
const MOST_CELLS: usize = 20_000;
/// Rounds after which the last answer of a page says nothing of now.
const MOST_ROUNDS: i64 = 4;
/// For so many rounds it says how it is: until it has come again.
const LEAST_ROUNDS: i64 = 2;
/// How often it is looked whether there is something to ask.
const IDLE: Duration = Duration::from_secs(1);

/// Asks for as long as this exists.
pub(super) struct Gatherer(Arc<Shared>);

struct Shared {
    settings: GatherSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    targets: Vec<Target>,
    pages: BTreeMap<Arc<str>, Page>,
}

/// A page of another node.
#[derive(Clone)]
struct Target {
    node: Arc<str>,
    at: Endpoint,
}

/// What a page has said.
#[derive(Clone)]
struct Page {
    cells: Arc<Vec<Cell>>,
    at: Wall,
    has_failed: bool,
}

/// How gathering goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::daemon) struct GatherCounts {
    pub(in crate::daemon) pages: usize,
    pub(in crate::daemon) failed: usize,
}

impl Gatherer {
    /// Begins, with nothing to ask yet.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(settings: &GatherSettings) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            state: Mutex::default(),
        });
        let asked = Arc::downgrade(&shared);
        let runtime = clients::runtime()?;
        let thread = std::thread::Builder::new().name("gather".to_owned());
        thread.spawn(move || runtime.block_on(run(&asked)))?;
        Ok(Self(shared))
    }

    pub(super) fn is_with(&self, settings: &GatherSettings) -> bool {
        self.0.settings == *settings
    }

    /// Has the pages of this document asked, but for that of this node.
    pub(super) fn ask(&self, document: &MeshDocument, own: Option<usize>) {
        let pages = document.pages().filter(|(node, ..)| Some(*node) != own);
        let targets = pages.filter_map(|(_, node, page)| {
            let at = endpoint(page, &self.0.settings.options)?;
            Some(Target {
                node: node.into(),
                at,
            })
        });
        let mut state = self.0.lock();
        state.targets = targets.collect();
        let nodes: HashSet<Arc<str>> = state
            .targets
            .iter()
            .map(|it| Arc::clone(&it.node))
            .collect();
        state.pages.retain(|node, _| nodes.contains(node));
    }

    /// What pages have said, as far as it is not old.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let state = self.0.lock();
        let every = i64::try_from(self.0.settings.every.as_nanos()).unwrap_or(i64::MAX);
        let pages = state.pages.values().flat_map(|page| {
            let at = page.at.unix_ns();
            page.cells.iter().map(move |cell| Cell {
                fresh_until_ns: fresh_until(cell.fresh_until_ns, at, every),
                ..cell.clone()
            })
        });
        pages.collect()
    }

    pub(super) fn counts(&self) -> GatherCounts {
        let state = self.0.lock();
        let failed = state.pages.values().filter(|page| page.has_failed);
        GatherCounts {
            pages: state.targets.len(),
            failed: failed.count(),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, node: &Arc<str>, cells: Option<Vec<Cell>>) {
        let mut state = self.lock();
        match (cells, state.pages.get_mut(node)) {
            (Some(cells), _) => {
                let page = Page {
                    cells: Arc::new(cells),
                    at: wall(),
                    has_failed: false,
                };
                state.pages.insert(Arc::clone(node), page);
            }
            (None, Some(page)) => page.has_failed = true,
            (None, None) => {
                let page = Page {
                    cells: Arc::default(),
                    at: wall(),
                    has_failed: true,
                };
                state.pages.insert(Arc::clone(node), page);
            }
        }
    }
}

/// Until when a row says how it is that a page had at this time. All are nanoseconds.
fn fresh_until(fresh_until: i64, at: i64, every: i64) -> i64 {
    let rounds = |number: i64| at.saturating_add(every.saturating_mul(number));
    if fresh_until < at {
        return fresh_until;
    }
    fresh_until.clamp(rounds(LEAST_ROUNDS), rounds(MOST_ROUNDS))
}

/// Where the cells of a page are. A token is sent encrypted, or within this host.
fn endpoint(page: &str, options: &EndpointOptions) -> Option<Endpoint> {
    let uri: Uri = page.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let is_local = host
        .parse()
        .is_ok_and(|host: std::net::IpAddr| host.is_loopback());
    let options = match uri.scheme_str() {
        Some("https") => options.clone(),
        _ if is_local => EndpointOptions {
            ca: None,
            certificate: None,
            key: None,
            ..options.clone()
        },
        _ => EndpointOptions::default(),
    };
    let url = format!("{}/mesh.json", page.trim_end_matches('/'));
    Endpoint::parse(&url, options).ok()
}

async fn run(shared: &Weak<Shared>) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Some(now) = shared.upgrade() else {
            return;
        };
        let (targets, every) = (now.lock().targets.clone(), now.settings.every);
        drop(now);
        let began = Instant::now();
        let number = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        for (place, target) in (0..).zip(targets) {
            sleep_until(began + every * place / number.max(1)).await;
            let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else {
                return;
            };
            let shared = Weak::clone(shared);
            tokio::spawn(async move {
                let cells = ask(&target).await;
                if let Some(shared) = shared.upgrade() {
                    shared.note(&target.node, cells);
                }
                drop(permit);
            });
        }
        if number == 0 {
            sleep(IDLE).await;
        } else {
            sleep_until(began + every).await;
        }
    }
}

/// The cells of one page; `None`: it gave no answer that is one.
async fn ask(target: &Target) -> Option<Vec<Cell>> {
    let call = Call::get(LIMITS).with_query("own=1".to_owned());
    let answer = target.at.send(&call).await.ok()?;
    if answer.status != StatusCode::OK {
        return None;
    }
    let report: MeshReport = serde_json::from_slice(&answer.body?).ok()?;
    if report.schema != SCHEMA {
        return None;
    }
    let own = report.cells.into_iter().filter(|cell| {
        // It measures both directions of its own pairs.
        let is_own = *cell.by == *target.node && (cell.from == cell.by || cell.to == cell.by);
        is_own && cell.is_possible()
    });
    Some(own.take(MOST_CELLS).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fetch::tests::{answer, server};
    use super::*;

    #[test]
    fn a_row_says_how_it_is_until_its_page_has_come_again() {
        // Old when it came.
        assert_eq!(fresh_until(99, 100, 10), 99);
        // It would be old before the next round.
        assert_eq!(fresh_until(101, 100, 10), 120);
        assert_eq!(fresh_until(130, 100, 10), 130);
        // A page that has gone is not believed for ever, whatever it said.
        assert_eq!(fresh_until(i64::MAX, 100, 10), 140);
        assert_eq!(fresh_until(i64::MAX, i64::MAX, i64::MAX), i64::MAX);
    }

    /// What a page with these cells comes to.
    fn asked(body: &str) -> Option<Vec<String>> {
        let (port, _requests) = server(vec![answer("200 OK", body.as_bytes())]);
        let at = endpoint(
            &format!("http://127.0.0.1:{port}/"),
            &EndpointOptions::default(),
        );
        let target = Target {
            node: "b".into(),
            at: at.unwrap(),
        };
        let cells = clients::runtime().unwrap().block_on(ask(&target))?;
        let cells = cells.iter();
        Some(
            cells
                .map(|cell| format!("{} {}", cell.from, cell.to))
                .collect(),
        )
    }

    #[test]
    fn a_page_says_what_its_own_node_measures_and_nothing_else() {
        let cell = |from: &str, to: &str, by: &str| {
            format!(
                r#"{{"mesh":"m","from":"{from}","to":"{to}","by":"{by}","state":"good","loss_ratio":null,"is_two_way_loss":false,"median_ns":1,"is_round_trip":true,"answered_ns":null,"fresh_until_ns":1}}"#
            )
        };
        let page = |cells: &[String]| {
            let cells = cells.join(",");
            format!(
                r#"{{"schema":"twinpath-mesh-1","name":"m","serial":1,"node":"b","at_ns":1,"cells":[{cells}]}}"#
            )
        };
        let lossy = |ratio: &str| {
            let ratio = format!("\"loss_ratio\":{ratio}");
            cell("b", "e", "b").replace("\"loss_ratio\":null", &ratio)
        };
        let slow = |ns: &str| {
            cell("b", "f", "b").replace("\"median_ns\":1", &format!("\"median_ns\":{ns}"))
        };
        let all = [
            cell("b", "a", "b"),
            lossy("1.0"),
            lossy("1.5"),
            lossy("-0.1"),
            slow("-1000"),
            slow("9223372036854775807"),
            slow("-9223372036854775808"),
            cell("c", "b", "b"),
            cell("b", "d", "d"),
            cell("c", "d", "c"),
            cell("c", "d", "b"),
        ];
        assert_eq!(
            asked(&page(&all)),
            Some(["b a", "b e", "b f", "c b"].map(str::to_owned).to_vec())
        );
        let many = vec![cell("b", "a", "b"); MOST_CELLS + 1];
        assert_eq!(
            asked(&page(&many)).map(|cells| cells.len()),
            Some(MOST_CELLS)
        );
        assert_eq!(asked("null"), None);
        assert_eq!(asked(&page(&all).replace("mesh-1", "mesh-9")), None);
        assert_eq!(asked(&format!("{}{}", page(&all), "x")), None);
    }

    #[test]
    fn a_token_is_sent_encrypted_or_within_the_host() {
        let options = EndpointOptions {
            token: Some("/token".into()),
            ..EndpointOptions::default()
        };
        let with = |page: &str| endpoint(page, &options);
        let of = |url: &str, options: &EndpointOptions| Endpoint::parse(url, options.clone()).ok();
        let none = EndpointOptions::default();
        for (page, sent) in [
            ("http://127.0.0.1:8862/", &options),
            ("http://[::1]:8862", &options),
            ("http://192.0.2.1:8862", &none),
            ("http://localhost.example:8862", &none),
        ] {
            let url = format!("{}/mesh.json", page.trim_end_matches('/'));
            assert_eq!(with(page), of(&url, sent), "{page}");
            assert!(with(page).is_some(), "{page}");
        }
        assert_eq!(
            with("https://192.0.2.1:8862"),
            of("https://192.0.2.1:8862/mesh.json", &options)
        );
        assert_eq!(with("ftp://127.0.0.1/"), None);
    }
}
