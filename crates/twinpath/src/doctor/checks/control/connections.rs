//! Whether the server has several sessions of this host at once, each on a connection of its own.

use twinpath_runtime::probe::{DialogueEnd, DialogueSeen};

use super::{is_accepted, loses, not_had};
use crate::doctor::concurrent::{MOST_REPEATED, SEVERAL, is_crowded_out, is_silent};
use crate::doctor::dialogue::Dialogue;
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
        let at_once = |dialogue: &Dialogue| dialogue.others + 1;
        let tried = all.iter().copied().map(at_once).max().unwrap_or(1);
        let taken_alone = seen.dialogue_asks().filter_map(|(ask, dialogue)| {
            let before = dialogue.before.as_deref()?;
            // The first has no others beside it.
            let is_taken = !ask.kind.has_opening && !is_crowded_out(ask, &dialogue.seen);
            is_taken.then_some(before)
        });
        let (silent, refused): (Vec<&DialogueSeen>, Vec<_>) =
            taken_alone.partition(|before| is_silent(before));
        // Where packets are lost, silence tells nothing.
        let several = silent.get(SEVERAL - 1).filter(|_| !loses(seen));
        let told = refused.first().or(several);
        if let Some(before) = told {
            return Judged::warn(format!(
                "the server does not take {tried} sessions of this host at once, each on a connection of its own: {}",
                how_it_failed(before)
            ))
            .advise("measure to it by one controller after the other, or raise its limits of connections and sessions for each client")
            .with("at_once", tried)
            .with("taken", false);
        }
        if !silent.is_empty() {
            return Judged::unknown(format!(
                "of {tried} sessions at once {} had no answer, and alone had one: packets are lost, or the server takes few at once",
                silent.len()
            ))
            .with("at_once", tried);
        }
        let accepted = all.iter().copied().filter(|dialogue| is_accepted(dialogue));
        let taken = accepted.map(at_once).max().unwrap_or(1);
        if taken == 1 {
            return Judged::skipped("no two sessions were taken at once");
        }
        Judged::ok(format!(
            "the server takes {taken} sessions of this host at once, each on a connection of its own"
        ))
        .with("at_once", taken)
        .with("taken", true)
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
        DialogueEnd::Failed(_)
        | DialogueEnd::Ended
        | DialogueEnd::NotTwamp(_)
        | DialogueEnd::Here(_)
        | DialogueEnd::Done(_)
        | DialogueEnd::CutShort => "a further connection is ended".to_owned(),
    }
}
