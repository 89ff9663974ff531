//! A session of a run, as its caller follows it.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::{Record, Series};
use twinpath_wire::Sample;

use super::Progress;
use super::{Handle, SeriesFacts};

/// What a session tells as it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionNews {
    /// What happened: all that figures are made of.
    Record(Record),
    /// The timeout of a packet passed: it is counted lost. The record of it comes when it is known
    /// whether it is late, up to another timeout later: as here, if it is not. Not told where news
    /// are read too slowly.
    Overdue(Sample),
}

/// A session as it goes on: its news, its series and a glance at it.
#[derive(Debug)]
pub struct SessionHandle {
    pub(super) sender: SocketAddr,
    pub(super) handle: Handle,
    pub(super) news: Option<rtrb::Consumer<SessionNews>>,
    pub(super) series: SeriesFacts,
}

impl SessionHandle {
    /// The local address and port, as the far end sees them without NAT.
    pub fn sender(&self) -> SocketAddr {
        self.sender
    }

    /// What happened next; `None`: nothing yet, or the plan wanted no records.
    pub fn next_news(&mut self) -> Option<SessionNews> {
        self.news.as_mut()?.pop().ok()
    }

    /// The next record; all other news are passed over.
    pub fn next_record(&mut self) -> Option<Record> {
        loop {
            if let SessionNews::Record(record) = self.next_news()? {
                return Some(record);
            }
        }
    }

    /// The next packet whose fate is known; all other records are passed over.
    pub fn next_sample(&mut self) -> Option<Sample> {
        loop {
            if let Record::Sample(sample) = self.next_record()? {
                return Some(sample);
            }
        }
    }

    /// An empty series, to be fed from [`SessionHandle::next_record`]: with rows of `interval`, and with
    /// a timeline of this many `columns`, where these are wanted.
    pub fn series(&self, interval: Option<Duration>, columns: Option<usize>) -> Series {
        self.series.open(interval, columns)
    }

    /// What series of the session begin with: to keep it with records that are saved.
    pub fn series_facts(&self) -> &SeriesFacts {
        &self.series
    }

    /// A glance at the session, at most about 50 ms old.
    pub fn progress(&self) -> Progress {
        self.handle.progress()
    }
}
