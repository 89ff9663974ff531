//! The packets of the first session, judged as a train of TWAMP Light is.

use super::{Cost, not_had};
use crate::doctor::checks::of_train::OfTrain;
use crate::doctor::checks::padding::Padding;
use crate::doctor::checks::{copies, numbers, times, ttl};
use crate::doctor::dialogue::SESSION;
use crate::doctor::{Ask, Check, Exchange, Judged, Seen};

/// A check of them.
pub(in crate::doctor::checks) struct OfSession {
    id: &'static str,
    judge: Judging,
}

enum Judging {
    /// As this check of other packets.
    Like(&'static OfTrain),
    Own(fn(&Exchange<'_>) -> Judged),
}

macro_rules! checks {
    ($($name:ident $id:literal $judge:expr;)*) => {$(
        pub(in crate::doctor::checks) static $name: OfSession = OfSession { id: $id, judge: $judge };
    )*};
}

checks! {
    ONE_REPLY "session.one-reply" Judging::Like(&copies::ONE_EACH);
    COPIED "session.copied" Judging::Like(&copies::COPIED);
    NUMBERS "session.numbers" Judging::Like(&numbers::NUMBERS);
    REPLY_SIZE "session.reply-size" Judging::Own(reply_size);
    TIME_FORMAT "session.time-format" Judging::Like(&times::FORMAT);
    RESIDENCE "session.residence" Judging::Like(&times::RESIDENCE);
    SENDER_TTL "session.sender-ttl" Judging::Like(&ttl::SENDER_TTL);
    REPLY_TTL "session.reply-ttl" Judging::Like(&ttl::REPLY_TTL);
}

impl OfSession {
    /// It is about packets without a reply too.
    fn tells_losses(&self) -> bool {
        matches!(&self.judge, Judging::Like(other) if other.judges_silence)
    }
}

impl Check for OfSession {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        vec![(SESSION.name.to_owned(), SESSION.packets())]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        super::ask(seen, &SESSION).into_iter().collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let Some(dialogue) = seen.dialogue(&SESSION) else {
            return not_had(seen);
        };
        let session = dialogue.seen.sessions.first();
        let (Some(Some(train)), Some(Ok(accepted))) = (
            dialogue.open.first(),
            session.and_then(|session| session.answer),
        ) else {
            return Judged::skipped("no session was started");
        };
        let mut far = dialogue.seen.server;
        far.set_port(accepted.port);
        let exchange = Exchange::of_session(far, train);
        if !exchange.is_answered() {
            return Judged::skipped("no packet of a session was answered");
        }
        let mut judged = match &self.judge {
            Judging::Like(other) => (other.judge)(seen, &exchange),
            Judging::Own(judge) => judge(&exchange),
        };
        judged.finding = format!("in a session {}", judged.finding);
        if self.tells_losses() {
            judged
        } else {
            judged.of_answers()
        }
    }
}

fn reply_size(exchange: &Exchange<'_>) -> Judged {
    let request = exchange.requests.first().map_or(0, Vec::len);
    let mut sizes = exchange.replies().map(|(reply, _)| reply.octets.len());
    let mut paddings = exchange
        .replies()
        .filter_map(|(reply, said)| Padding::of(exchange.request_of(&said)?, &reply.octets));
    let padding = paddings.next();
    let zeros = if padding == Some(Padding::Zero) {
        ", and padded with zeros"
    } else {
        ""
    };
    let judged = match sizes.find(|reply| *reply != request) {
        None => Judged::ok(format!("replies are as long as their requests{zeros}")),
        Some(reply) => Judged::warn(format!("replies to {request} octets have {reply}{zeros}"))
            .advise("compare sizes before both ways are compared; see --symmetrical-size"),
    };
    match padding {
        Some(padding) => judged.with("padding", padding.name()),
        None => judged,
    }
}
