//! What happens in a run beside its packets, and who hears of it.

use std::io::{self, Stderr};

use super::run_observers::RunObservers;
use super::run_output::RunOutput;
use crate::output::print_to_stderr;
use crate::output::progress::ProgressLine;

/// Whose packets an event follows: they are printed before it.
pub(super) enum After {
    Nothing,
    /// One session, from 0.
    Session(usize),
    All,
}

/// What happened in a run.
pub(super) struct Event {
    pub(super) line: String,
    pub(super) after: After,
    pub(super) notice: Notice,
}

/// Whether stderr has an event too, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    None,
    /// Something is as it should be again.
    Note,
    /// Measuring goes on without what it ended.
    Warning,
}

impl Event {
    pub(super) fn warning(line: String) -> Self {
        Self::noticed(line, Notice::Warning)
    }

    pub(super) fn note(line: String) -> Self {
        Self::noticed(line, Notice::Note)
    }

    fn noticed(line: String, notice: Notice) -> Self {
        Self {
            line,
            after: After::Nothing,
            notice,
        }
    }

    /// To everything that follows the run. `progress`: it makes room for notices; `None`: stderr has none.
    ///
    /// # Errors
    /// Those of the output.
    pub(super) fn tell(
        &self,
        progress: Option<&mut ProgressLine<Stderr>>,
        observers: &mut RunObservers,
        output: &mut RunOutput,
    ) -> io::Result<()> {
        let line = &self.line;
        let kind = match self.notice {
            Notice::None => None,
            Notice::Note => Some("note"),
            Notice::Warning => Some("warning"),
        };
        if let Some((progress, kind)) = progress.zip(kind) {
            progress.erase();
            print_to_stderr(&format!("{kind}: {line}"));
        }
        observers.companions.each(|it| it.event(line));
        output.event(line)
    }
}
