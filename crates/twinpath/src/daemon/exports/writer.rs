//! The thread that collects rows to batches.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::body::Encoding;
use super::journal::{Journal, Left};
use super::spool::{BatchId, Spool};
use super::{ExportRow, ExportSpec, Shared};

/// Octets of a batch about, at most.
const MOST_OCTETS: usize = 4 << 20;
/// How soon a disk that took nothing is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often it looks whether it is over.
const LOOK: Duration = Duration::from_millis(500);

/// Rows that become a batch.
struct Pending {
    id: BatchId,
    rows: u64,
    content: Vec<u8>,
    since: Instant,
}

/// The thread.
pub(super) struct Writer {
    spec: ExportSpec,
    encoding: Encoding,
    spool: Arc<Spool>,
    shared: Arc<Shared>,
    journal: Option<Journal>,
    pending: Option<Pending>,
}

impl Writer {
    pub(super) fn new(
        spec: ExportSpec,
        host: Arc<str>,
        spool: Arc<Spool>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            encoding: Encoding::new(spec.sink.kind(), &shared.name, host),
            spec,
            spool,
            shared,
            journal: None,
            pending: None,
        }
    }

    /// Takes rows until there can be no more.
    pub(super) fn run(mut self, inbox: &Receiver<ExportRow>) {
        self.finish();
        loop {
            let wait = self.due().saturating_duration_since(Instant::now());
            match inbox.recv_timeout(wait.min(LOOK)) {
                Ok(row) => self.take(&row),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.is_due() {
                self.finish();
            }
        }
        // Another process finds in the journal what the disk does not take now.
        if let Some(pending) = self.pending.take() {
            let _written = self.write(&pending);
        }
    }

    /// Takes the rows that another process left, unless they are in a batch already. To be called before batches are sent.
    pub(super) fn recover(&mut self) {
        match Journal::open(self.spool.directory()) {
            Ok((mut journal, left)) => {
                match left {
                    Some(left) if !self.spool.has(&left.id) => self.go_on_with(left),
                    // A batch that is sent and gone is not known by its journal any more.
                    Some(_) | None => {
                        if let Err(error) = journal.clear() {
                            self.shared.disk_failed(&format!("no journal: {error}"));
                        }
                    }
                }
                self.journal = Some(journal);
            }
            Err(error) => self.shared.disk_failed(&format!("no journal: {error}")),
        }
    }

    fn go_on_with(&mut self, left: Left) {
        let mut content = Vec::new();
        for row in &left.rows {
            self.encoding.add(&mut content, row);
        }
        let rows = left.rows.len() as u64;
        self.shared.loose.fetch_add(rows, Ordering::Relaxed);
        self.pending = Some(Pending {
            id: left.id,
            rows,
            content,
            since: Instant::now(),
        });
    }

    fn due(&self) -> Instant {
        let pending = self.pending.as_ref();
        pending.map_or_else(
            || Instant::now() + LOOK,
            |pending| pending.since + self.spec.batch_age,
        )
    }

    fn is_due(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            pending.rows >= self.spec.batch_rows
                || pending.content.len() >= MOST_OCTETS
                || pending.since.elapsed() >= self.spec.batch_age
        })
    }

    fn take(&mut self, row: &ExportRow) {
        let record = self.encoding.record(row);
        let pending = self.pending.get_or_insert_with(|| {
            let id = self.spool.new_id();
            if let Some(journal) = &mut self.journal {
                journal.begin(&id);
            }
            Pending {
                id,
                rows: 0,
                content: Vec::new(),
                since: Instant::now(),
            }
        });
        if let Some(journal) = &mut self.journal {
            journal.add(&record);
        }
        self.encoding.add(&mut pending.content, &record);
        pending.rows += 1;
    }

    /// Has the rows sent as a batch, once the disk takes it. Others wait in the channel meanwhile.
    fn finish(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        while let Err(error) = self.write(&pending) {
            let place = self.spool.directory().display();
            let why = format!("cannot write a batch in {place}: {error}");
            self.shared.disk_failed(&why);
            if !self.spool.pause(TRY_AGAIN, || self.shared.is_stopped()) {
                self.pending = Some(pending);
                return;
            }
        }
        self.shared.disk_works();
    }

    /// Its rows are in the journal until they are in a file, and in no file that is sent before they are not in the
    /// journal: a process that is killed in between neither loses nor doubles them.
    fn write(&mut self, pending: &Pending) -> io::Result<()> {
        let body = self.encoding.body(&pending.content, &pending.id.id);
        let (batch, dropped) = self.spool.write(pending.id.clone(), pending.rows, &body)?;
        if let Some(journal) = &mut self.journal {
            journal.clear()?;
        }
        self.shared.drop_rows(dropped);
        self.spool.release(batch);
        self.shared.loose.fetch_sub(pending.rows, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::daemon::exports::Sink;

    fn writer(directory: &Path) -> Writer {
        let spec = ExportSpec {
            sink: Sink::exec(&["/bin/true".to_owned()]).unwrap(),
            directory: directory.to_owned(),
            max_octets: 1 << 20,
            batch_rows: 10,
            batch_age: Duration::from_secs(10),
        };
        let spool = Spool::open(directory, "exec", spec.max_octets).unwrap();
        let mut writer = Writer::new(spec, "host".into(), Arc::new(spool), Arc::default());
        writer.recover();
        writer
    }

    #[test]
    fn rows_that_were_in_no_batch_are_in_one_with_its_id_and_those_that_were_are_not_doubled() {
        let place = tempfile::tempdir().unwrap();
        let id = {
            let mut first = writer(place.path());
            let id = first.spool.new_id();
            let journal = first.journal.as_mut().unwrap();
            journal.begin(&id);
            journal.add(b"{\"row\":1}");
            journal.add(b"{\"row\":2}");
            id
        };
        // It was killed. The next one is killed too, before it has forgotten the rows of its batch.
        let second = writer(place.path());
        let pending = second.pending.as_ref().unwrap();
        assert_eq!((&pending.id, pending.rows), (&id, 2));
        let body = second.encoding.body(&pending.content, &id.id);
        let (batch, _) = second.spool.write(id.clone(), 2, &body).unwrap();
        assert!(Journal::open(place.path()).unwrap().1.is_some());
        drop(second);
        let mut third = writer(place.path());
        assert!(third.pending.is_none());
        assert_eq!(Journal::open(place.path()).unwrap().1, None);
        third.finish();
        let sent = third.spool.next(|is_empty| is_empty).unwrap();
        assert_eq!((&sent, third.spool.waiting().rows), (&batch, 2));
        let document: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&sent.path).unwrap()).unwrap();
        assert_eq!(document["batch"], *id.id);
        assert_eq!(document["rows"][1]["row"], 2);
    }
}
