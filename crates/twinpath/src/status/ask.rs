//! A client of control sockets.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::directories::{self, Directories, SUFFIX};

/// How long a program may take to answer.
const WITHIN: Duration = Duration::from_secs(3);
/// Octets of a document at most: one with 256 sessions has 100 kB.
const MOST_OCTETS: u64 = 4 << 20;

/// What was found of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) socket: PathBuf,
    /// Its document.
    pub(crate) document: Result<String, Refusal>,
}

/// Why a socket gave no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such socket.
    #[error("there is no such socket")]
    Missing,
    /// Its program is gone.
    #[error("no program listens there any more")]
    Stale,
    /// It is another user's.
    #[error("it is for its own user and root")]
    Permission,
    /// No answer in time.
    #[error("no answer within 3 s")]
    Silent,
    /// It is not what twinpath sends.
    #[error("what came is not a status of twinpath")]
    Foreign,
    /// The system's error.
    #[error("{0}")]
    System(String),
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// The sockets that there are.
    pub(crate) sockets: Vec<PathBuf>,
    /// Directories that were searched.
    pub(crate) searched: Vec<PathBuf>,
    /// Those of them that cannot be read, and why.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// Looks for sockets, all of them or those of a name.
pub(crate) fn search(name: Option<&str>) -> Search {
    let mut search = Search::default();
    let directories = Directories::of_this_process();
    for directory in directories.all() {
        search.searched.push(directory.to_owned());
        match directories::sockets(directory) {
            Ok(found) => search.sockets.extend(found),
            Err(error) => {
                let why = error.to_string();
                search.unreadable.push((directory.to_owned(), why));
            }
        }
    }
    if let Some(name) = name {
        let with_suffix = format!("{name}.{SUFFIX}");
        let is_named = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|file| file == name || file == &*with_suffix)
        };
        search.sockets.retain(is_named);
    }
    search
}

/// Asks all at once: an answer for each, in the same order.
///
/// # Errors
/// The system has no resources for that.
pub(crate) fn ask_all(sockets: &[PathBuf]) -> io::Result<Vec<Answer>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut asking = JoinSet::new();
        for (place, socket) in sockets.iter().cloned().enumerate() {
            asking.spawn(async move {
                let document = match timeout(WITHIN, ask(&socket)).await {
                    Ok(document) => document,
                    Err(_) => Err(Refusal::Silent),
                };
                (place, Answer { socket, document })
            });
        }
        let mut answers = asking.join_all().await;
        answers.sort_by_key(|(place, _)| *place);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    })
}

async fn ask(socket: &Path) -> Result<String, Refusal> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| refusal(&error))?;
    let mut octets = Vec::new();
    let read = stream.take(MOST_OCTETS).read_to_end(&mut octets).await;
    read.map_err(|error| refusal(&error))?;
    if octets.is_empty() {
        // It is ending, or has more clients than it serves.
        return Err(Refusal::Silent);
    }
    String::from_utf8(octets).map_err(|_| Refusal::Foreign)
}

fn refusal(error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::NotFound {
        Refusal::Missing
    } else if [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
    ]
    .contains(&error.kind())
    {
        Refusal::Stale
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        Refusal::Permission
    } else if error.kind() == io::ErrorKind::WouldBlock {
        Refusal::Silent
    } else {
        Refusal::System(error.to_string())
    }
}
