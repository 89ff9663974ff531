//! Which rows of a file are wanted.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use parquet::data_type::ByteArray;
use parquet::file::statistics::Statistics;
use twinpath_wire::Wall;

/// Which rows of a file are wanted.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) sessions: Sessions,
    /// Rows that begin then.
    pub(super) from: Wall,
    pub(super) to: Wall,
}

/// Which sessions.
#[derive(Clone, Debug)]
pub(super) enum Sessions {
    All,
    One(Arc<str>),
    /// From this name to that one, both included.
    Between(Arc<str>, Arc<str>),
    /// Those with such a name.
    Like(Chooser),
}

/// Which names are wanted.
#[derive(Clone)]
pub(super) struct Chooser(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Chooser {
    pub(super) fn new(wants: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wants))
    }

    fn wants(&self, name: &[u8]) -> bool {
        str::from_utf8(name).is_ok_and(|name| (self.0)(name))
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chooser")
    }
}

impl Filter {
    pub(super) const ALL: Self = Self {
        sessions: Sessions::All,
        from: Wall::from_unix_ns(i64::MIN),
        to: Wall::from_unix_ns(i64::MAX),
    };

    pub(super) fn has_all_times(&self) -> bool {
        self.from == Self::ALL.from && self.to == Self::ALL.to
    }

    pub(super) fn wants(&self, session: &[u8]) -> bool {
        match &self.sessions {
            Sessions::All => true,
            Sessions::One(name) => name.as_bytes() == session,
            Sessions::Between(from, to) => (from.as_bytes()..=to.as_bytes()).contains(&session),
            Sessions::Like(chooser) => chooser.wants(session),
        }
    }

    /// Whether a row group may have rows that are wanted, as far as its statistics show it.
    pub(super) fn may_be_in(
        &self,
        sessions: Option<&Statistics>,
        starts: Option<&Statistics>,
    ) -> bool {
        let is_in = match sessions {
            Some(Statistics::ByteArray(range)) => {
                let least = range.min_opt().filter(|_| range.min_is_exact());
                let greatest = range.max_opt().filter(|_| range.max_is_exact());
                match &self.sessions {
                    Sessions::All | Sessions::Like(_) => true,
                    Sessions::One(name) => is_between(name, name, least, greatest),
                    Sessions::Between(from, to) => is_between(from, to, least, greatest),
                }
            }
            _ => true,
        };
        let is_then = match starts {
            Some(Statistics::Int64(range)) => {
                let is_before = range
                    .max_opt()
                    .is_some_and(|max| *max < self.from.unix_ns());
                let is_after = range.min_opt().is_some_and(|min| *min >= self.to.unix_ns());
                !is_before && !is_after
            }
            _ => true,
        };
        is_in && is_then
    }
}

fn is_between(
    from: &str,
    to: &str,
    least: Option<&ByteArray>,
    greatest: Option<&ByteArray>,
) -> bool {
    least.is_none_or(|least| to.as_bytes() >= least.data())
        && greatest.is_none_or(|greatest| from.as_bytes() <= greatest.data())
}

/// Adds a row to ranges of rows.
pub(super) fn extend(ranges: &mut Vec<Range<usize>>, row: usize) {
    match ranges.last_mut() {
        Some(last) if last.end == row => last.end = row + 1,
        Some(_) | None => ranges.push(row..row + 1),
    }
}
