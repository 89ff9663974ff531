//! Whether the server has several sessions of this host at once, each on a connection of its own.

use twinpath_proto::control::ClientError;
use twinpath_runtime::probe::{DialogueEnd, DialogueSeen, Span};

use super::{loses, not_had};
use crate::doctor::concurrent::{
    ENOUGH, MOST_REPEATED, SEVERAL, is_crowded_out, is_silent, is_taken,
};
use crate::doctor::dialogue::{Dialogue, DialogueAsk};
use crate::doctor::{Ask, Check, Cost, Judged, Seen};

/// Dialogues side by side: those of other checks tell it.
pub(in crate::doctor::checks) struct Connections;

impl Check for Connections {
    fn id(&self) -> &'static str {
        "control.connections"
    }

    /// The connections of dialogues that are had again alone.
    fn costs(&self) -> Vec<Cost> {
        vec![("control-alone".to_owned(), MOST_REPEATED)]
    }

    fn asks(&self, _: &Seen) -> Vec<Ask> {
        Vec::new()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let all: Vec<&Dialogue> = seen.dialogues().collect();
        if all.is_empty() {
            return not_had(seen);
        }
        let seens = all.iter().flat_map(|dialogue| every(dialogue));
        let tried = Span::most_at_once(&seens.clone().map(whole).collect::<Vec<_>>());
        let taken = Span::most_at_once(&seens.filter_map(|seen| seen.held).collect::<Vec<_>>());
        // Enough, or as many at another time: those that failed are not about their number.
        if taken < tried.min(ENOUGH)
            && let Some(judged) = limited(seen, tried)
        {
            return judged.with("at_once", tried);
        }
        if taken < 2 {
            return Judged::skipped("no two sessions were taken at once");
        }
        Judged::ok(format!(
            "the server takes {taken} sessions of this host at once, each on a connection of its own"
        ))
        .with("at_once", taken)
        .with("taken", true)
    }
}

/// What dialogues say that failed beside others; `None`: none did.
fn limited(seen: &Seen, tried: usize) -> Option<Judged> {
    let taken_alone = seen.dialogue_asks().filter_map(|(ask, dialogue)| {
        let before = dialogue.before.as_deref()?;
        // The first has no others beside it.
        let is_alone = ask.kind.has_opening || !is_taken(ask, &dialogue.seen);
        (!is_alone).then_some(before)
    });
    let (silent, refused): (Vec<&DialogueSeen>, Vec<_>) =
        taken_alone.partition(|before| is_silent(before));
    // Where packets are lost, silence tells nothing.
    let several = silent.get(SEVERAL - 1).filter(|_| !loses(seen));
    if let Some(before) = refused.first().or(several) {
        let judged = Judged::warn(format!(
            "the server does not take {tried} sessions of this host at once, each on a connection of its own: {}",
            how_it_failed(before)
        ))
        .advise("measure to it by one controller after the other, or raise its limits of connections and sessions for each client")
        .with("taken", false);
        return Some(judged);
    }
    if !silent.is_empty() {
        return Some(Judged::unknown(format!(
            "of {tried} sessions at once {} had no answer, and alone had one: packets are lost, or the server takes few at once",
            silent.len()
        )));
    }
    let is_cut = |(ask, dialogue): &(&DialogueAsk, &Dialogue)| {
        dialogue.is_repeat_cut && is_crowded_out(ask, &dialogue.seen)
    };
    let (_, cut) = seen.dialogue_asks().find(is_cut)?;
    Some(Judged::unknown(format!(
        "of {tried} sessions at once one failed, and no time was left to see whether it fails alone: {}",
        how_it_failed(&cut.seen)
    )))
}

/// Each time that it was had.
fn every(dialogue: &Dialogue) -> impl Iterator<Item = &DialogueSeen> + Clone {
    [Some(&dialogue.seen), dialogue.before.as_deref()]
        .into_iter()
        .flatten()
}

fn whole(seen: &DialogueSeen) -> Span {
    Span {
        from: seen.begun,
        to: seen.begun + seen.took,
    }
}

/// How the server treats one that it does not take.
fn how_it_failed(seen: &DialogueSeen) -> String {
    let mut answers = seen.sessions.iter().filter_map(|session| session.answer);
    if let Some(refusal) = answers.find_map(Result::err) {
        return format!("a further one is refused with Accept {refusal}");
    }
    match &seen.end {
        DialogueEnd::NotConnected(_) => "a further connection is not made".to_owned(),
        DialogueEnd::Mute => "a further connection gets no greeting".to_owned(),
        DialogueEnd::Refused(refusal) => {
            format!("a further connection is refused with Accept {refusal}")
        }
        DialogueEnd::Failed(error @ ClientError::Silent(_)) => {
            format!("on a further connection {error}")
        }
        DialogueEnd::Failed(_)
        | DialogueEnd::Ended
        | DialogueEnd::NotTwamp(_)
        | DialogueEnd::Here(_)
        | DialogueEnd::Done(_)
        | DialogueEnd::CutShort => "a further connection is ended".to_owned(),
    }
}
