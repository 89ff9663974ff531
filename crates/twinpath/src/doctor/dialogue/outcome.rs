//! What came of a dialogue.

use twinpath_runtime::probe::{DialogueEnd, DialogueSeen, SessionTrain, TrainSeen};
use twinpath_wire::{ReflectorOpen, ReflectorSecured, Reply, SenderOpen, SenderSecured};

/// What came of a dialogue, and the packets of each session in the layout of open ones.
#[derive(Clone, Debug)]
pub(crate) struct Dialogue {
    pub(crate) seen: DialogueSeen,
    pub(crate) open: Vec<Option<OpenTrain>>,
    /// The examination ended before it did.
    pub(crate) is_interrupted: bool,
    /// What came of it first, where it was had again.
    pub(crate) before: Option<Box<DialogueSeen>>,
    /// It was had again, alone, and that was cut short: this is what came of it first.
    pub(crate) is_repeat_cut: bool,
    /// Connections that were made for it.
    pub(crate) connections: usize,
}

/// Requests and what came of them, in the layout of open packets, as long as they were.
#[derive(Clone, Debug)]
pub(crate) struct OpenTrain {
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) seen: TrainSeen,
}

impl Dialogue {
    pub(crate) fn new(seen: DialogueSeen) -> Self {
        let sessions = seen.sessions.iter();
        let open = sessions.map(|session| session.train.as_ref().map(open_train));
        let open = open.collect();
        Self {
            seen,
            open,
            is_interrupted: false,
            before: None,
            is_repeat_cut: false,
            connections: 1,
        }
    }

    /// The same once it was had again, alone. A repeat that says nothing of the server leaves what came of it first.
    pub(crate) fn repeated(self, alone: DialogueSeen) -> Self {
        let connections = self.connections + 1;
        if is_cut(&alone) {
            Self {
                is_repeat_cut: true,
                connections,
                ..self
            }
        } else {
            Self {
                before: Some(Box::new(self.seen)),
                connections,
                ..Self::new(alone)
            }
        }
    }

    /// The same where it was tried before, beside more others, which came to `earlier`.
    pub(crate) fn after(self, earlier: DialogueSeen) -> Self {
        let connections = self.connections + 1;
        if is_cut(&self.seen) {
            Self {
                is_repeat_cut: true,
                connections,
                ..Self::new(earlier)
            }
        } else {
            Self {
                before: self.before.or_else(|| Some(Box::new(earlier))),
                connections,
                ..self
            }
        }
    }

    /// Connections beyond the first.
    pub(crate) fn repeats(&self) -> usize {
        self.connections.saturating_sub(1)
    }

    /// It went to its end, with all packets.
    pub(crate) fn is_whole(&self) -> bool {
        let trains = self
            .seen
            .sessions
            .iter()
            .filter_map(|session| session.train.as_ref());
        let mut each = trains.flat_map(|train| [&train.opening, &train.paced]);
        self.seen.end != DialogueEnd::CutShort
            && !self.is_repeat_cut
            && each.all(|(requests, seen)| requests.len() == seen.departures.len())
    }

    /// The server has answered a request.
    pub(crate) fn has_answer(&self) -> bool {
        let mut sessions = self.seen.sessions.iter();
        sessions.any(|session| session.answer.is_some())
    }

    /// The connections and the packets that were sent.
    pub(crate) fn sent(&self) -> usize {
        usize::from(self.seen.near.is_some()) + packets_sent(&self.seen) + self.repeats()
    }
}

/// It says nothing of the server.
fn is_cut(seen: &DialogueSeen) -> bool {
    let is_cut = matches!(seen.end, DialogueEnd::CutShort | DialogueEnd::Here(_));
    is_cut && !is_accepted(seen)
}

/// The server has accepted a session of it.
pub(crate) fn is_accepted(seen: &DialogueSeen) -> bool {
    let mut sessions = seen.sessions.iter();
    sessions.any(|session| matches!(session.answer, Some(Ok(_))))
}

/// Test packets that were sent in a dialogue.
pub(crate) fn packets_sent(seen: &DialogueSeen) -> usize {
    let sessions = seen.sessions.iter();
    let trains = sessions.filter_map(|session| session.train.as_ref());
    let each = trains.flat_map(|train| [&train.opening, &train.paced]);
    each.map(|(_, seen)| seen.departures.len()).sum()
}

fn open_train(train: &SessionTrain) -> OpenTrain {
    let (requests, seen) = &train.paced;
    let mut open = OpenTrain {
        requests: requests.clone(),
        seen: seen.clone(),
    };
    if train.form.features.is_secured() {
        for request in &mut open.requests {
            open_request(request);
        }
        for reply in &mut open.seen.replies {
            open_reply(&mut reply.octets);
        }
    }
    open
}

fn open_request(octets: &mut Vec<u8>) {
    let mut open = vec![0; octets.len()];
    if let (Ok((secured, _)), Ok((head, _))) =
        (SenderSecured::view(octets), SenderOpen::view_mut(&mut open))
    {
        (head.seq, head.t1, head.error) = (secured.seq, secured.t1, secured.error);
    }
    *octets = open;
}

fn open_reply(octets: &mut Vec<u8>) {
    let mut open = vec![0; octets.len()];
    if let (Ok((secured, _)), Ok((packet, _))) = (
        ReflectorSecured::view(octets),
        ReflectorOpen::view_mut(&mut open),
    ) {
        let reply = Reply::from(secured);
        packet.head = reply.head;
        packet.sender_error = secured.sender_error;
        packet.sender_ttl = secured.sender_ttl;
    }
    *octets = open;
}
