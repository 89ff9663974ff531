//! Performance data: `'label'=value[UOM];[warn];[crit];[min];[max]`, each figure of each session, or of
//! many sessions what they are together.

use super::State;
use super::amounts::{amount, name};
use super::judgement::{JudgedFigure, Judgement};

/// The most values of sessions; of more only their least and their greatest are given.
const MOST_VALUES: usize = 40;

/// The figures of all sessions.
pub(super) struct Totals<'a> {
    figures: &'a [JudgedFigure],
    sessions: usize,
    /// Of each session, as long as these are not too many.
    values: Vec<String>,
    /// The least and the greatest of each figure.
    spans: Vec<Option<(f64, f64)>>,
    states: [usize; 4],
}

impl<'a> Totals<'a> {
    /// Of as many sessions, those without figures among them.
    pub(super) fn new(figures: &'a [JudgedFigure], sessions: usize) -> Self {
        Self {
            figures,
            sessions,
            values: Vec::new(),
            spans: vec![None; figures.len()],
            states: [0; 4],
        }
    }

    fn has_values(&self) -> bool {
        self.sessions * self.figures.len() <= MOST_VALUES
    }

    pub(super) fn add(&mut self, session: &str, judgement: &Judgement) {
        let values = self.figures.iter().zip(&judgement.values);
        for ((figure, value), span) in values.zip(&mut self.spans) {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                continue;
            };
            let (least, greatest) = span.get_or_insert((value, value));
            (*least, *greatest) = (least.min(value), greatest.max(value));
            if self.sessions * self.figures.len() <= MOST_VALUES {
                let of = format!("{session} {}", figure.label);
                self.values.push(figure.perfdata(of.trim_start(), value));
            }
        }
    }

    /// Of all sessions, those without figures among them.
    pub(super) fn count(&mut self, states: impl Iterator<Item = State>) {
        for state in states {
            for (count, of) in self.states.iter_mut().zip(State::ALL) {
                *count += usize::from(of == state);
            }
        }
    }

    pub(super) fn perfdata(&self) -> Vec<String> {
        if self.has_values() {
            return self.values.clone();
        }
        let states = self.states.iter().zip(State::ALL);
        let states = states.map(|(count, state)| {
            let label = state.name().to_lowercase();
            format!("{label}={count};;;0;{}", self.sessions)
        });
        let spans = self.figures.iter().zip(&self.spans);
        let spans = spans.filter_map(|(figure, span)| Some((figure, (*span)?)));
        let spans = spans.flat_map(|(figure, (least, greatest))| {
            [
                figure.perfdata(&format!("{}_min", figure.label), least),
                figure.perfdata(&format!("{}_max", figure.label), greatest),
            ]
        });
        states.chain(spans).collect()
    }

    /// From where to where the figures are, in words.
    pub(super) fn spans(&self) -> Vec<String> {
        let spans = self.figures.iter().zip(&self.spans);
        let spans = spans.filter_map(|(figure, span)| {
            let metric = figure.metric;
            let (least, greatest) = (*span)?;
            let (from, to) = (amount(metric, least, None), amount(metric, greatest, None));
            let name = name(&metric.path);
            Some(if from == to {
                format!("{name} {to}")
            } else {
                format!("{name} {from} to {to}")
            })
        });
        spans.collect()
    }
}

/// A label, in quotes where it needs them. What would end it is replaced, and so is `::`: Icinga 2 takes
/// what is before that for the beginning of the labels that follow too.
pub(super) fn label(text: &str) -> String {
    let text = text
        .replace("::", ":_:")
        .replace(['=', '\'', '|', '"'], "_");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{text}'")
    }
}
