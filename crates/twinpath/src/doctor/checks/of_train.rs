//! Checks of what comes back of one kind of datagrams to the place that is examined.

use crate::doctor::train::TrainKind;
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, Seen};

/// Such a check.
pub(super) struct OfTrain {
    pub(super) id: &'static str,
    /// What is sent.
    pub(super) kind: &'static TrainKind,
    /// What is said where nothing comes back: `true`, what `judge` says; otherwise that there was no reason
    /// to look.
    pub(super) judges_silence: bool,
    pub(super) judge: fn(&Seen, &Exchange<'_>) -> Judged,
}

impl Check for OfTrain {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        vec![(self.kind.name.to_owned(), self.kind.count)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        seen.ask_subject(self.kind)
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let sent = seen.subject().and_then(|far| seen.train(far, self.kind));
        match sent.filter(|exchange| self.judges_silence || exchange.is_answered()) {
            Some(exchange) if self.judges_silence => (self.judge)(seen, &exchange),
            Some(exchange) => (self.judge)(seen, &exchange).of_answers(),
            None => Judged::skipped("no replies"),
        }
    }
}
