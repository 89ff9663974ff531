//! The reports of a run, as outputs have them.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use twinpath_report::SessionReport;

/// The reports of the sessions with figures, in their order. Those of many sessions would take much more
/// memory than measuring did: they are made one at a time, each time they are walked. So they are walked
/// seldom, and little is kept of each.
#[derive(Clone, Copy)]
pub(crate) enum Reports<'a> {
    Made(&'a [SessionReport]),
    OnDemand(usize, &'a dyn Fn(usize) -> Option<SessionReport>),
}

impl<'a> Reports<'a> {
    /// How many there are.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Made(reports) => reports.len(),
            Self::OnDemand(count, _) => count,
        }
    }

    /// One after the other.
    pub(crate) fn iter(self) -> impl Iterator<Item = Cow<'a, SessionReport>> + Clone {
        (0..self.len()).filter_map(move |place| match self {
            Self::Made(reports) => reports.get(place).map(Cow::Borrowed),
            Self::OnDemand(_, make) => make(place).map(Cow::Owned),
        })
    }
}

impl<'a> From<&'a [SessionReport]> for Reports<'a> {
    fn from(reports: &'a [SessionReport]) -> Self {
        Self::Made(reports)
    }
}

/// As a list, of which no more than one is in memory.
impl Serialize for Reports<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{self, Write};
    use std::rc::Rc;

    use super::*;
    use crate::output::json::Json;
    use crate::output::packets::{Csv, JsonLines};
    use crate::output::prometheus::Prometheus;
    use crate::output::style::Style;
    use crate::output::text::Text;
    use crate::output::{Outcome, Sink, fixtures};

    /// Sessions of a mesh, as their reports are made.
    fn report(place: usize) -> Option<SessionReport> {
        let mut report = match place % 3 {
            0 => fixtures::quiet_path(),
            1 => fixtures::loss(),
            _ => fixtures::rough_path(),
        };
        report.identity.number = place + 1;
        report.identity.path = Some(u16::try_from(place + 1).ok()?);
        Some(report)
    }

    /// Keeps what is written, and the most octets of it that came since a report was made.
    #[derive(Clone, Default)]
    struct Stream {
        octets: Rc<Cell<Vec<u8>>>,
        at_once: Rc<Cell<usize>>,
        most: Rc<Cell<usize>>,
    }

    impl Write for Stream {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let mut all = self.octets.take();
            all.extend(octets);
            self.octets.set(all);
            self.at_once.set(self.at_once.get() + octets.len());
            self.most.set(self.most.get().max(self.at_once.get()));
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sinks(out: &Stream) -> Vec<(&'static str, Box<dyn Sink>)> {
        let (meta, style) = (fixtures::meta, Style::PLAIN);
        let out = || out.clone();
        vec![
            ("text", Box::new(Text::new(out(), meta(), style, false))),
            ("-v", Box::new(Text::new(out(), meta(), style, true))),
            ("json", Box::new(Json::new(out(), meta()))),
            ("jsonl", Box::new(JsonLines::new(out(), meta()))),
            ("csv", Box::new(Csv::new(out(), meta(), &[]).unwrap())),
            ("prometheus", Box::new(Prometheus::new(out(), meta()))),
        ]
    }

    #[test]
    fn every_output_says_the_same_of_reports_that_are_made_one_by_one() {
        const COUNT: usize = 7;
        let all: Vec<SessionReport> = (0..COUNT).filter_map(report).collect();
        let (whole, parts) = (Stream::default(), Stream::default());
        for ((name, mut one), (_, mut other)) in sinks(&whole).into_iter().zip(sinks(&parts)) {
            one.report(all.as_slice().into()).unwrap();
            let count = Cell::new(0);
            let make = |place| {
                count.set(count.get() + 1);
                report(place)
            };
            other
                .report(Outcome::new(Reports::OnDemand(COUNT, &make), None))
                .unwrap();
            assert_eq!(parts.octets.take(), whole.octets.take(), "{name}");
            // Each time they are walked takes as long as all of them take to be made.
            assert!(count.get() <= 3 * COUNT, "{name}: {}", count.get());
        }
    }

    #[test]
    fn a_document_is_written_as_its_reports_are_made() {
        let out = Stream::default();
        let make = |place| {
            out.at_once.set(0);
            report(place)
        };
        let reports = Reports::OnDemand(100, &make);
        Json::new(out.clone(), fixtures::meta())
            .report(Outcome::new(reports, None))
            .unwrap();
        let all = out.octets.take().len();
        assert!(out.most.get() < all / 50, "{} of {all}", out.most.get());
    }
}
