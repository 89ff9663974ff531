//! Passes over the records of two runs: for the numbers of their packets, for their blocks, and for the
//! figures of their parts.

use twinpath_metrics::{Figures, Record, SessionMetrics};
use twinpath_wire::Fate;

use super::blocks::Blocks;
use super::parts::Scope;
use super::{Comparison, Source, Trouble};
use crate::saved::Row;

/// Records of two runs, which can be gone through again and again.
pub(super) trait Rows {
    /// Every record of a run with its session's number.
    fn each(&self, run: usize, take: &mut dyn FnMut(u32, &Record)) -> Result<(), Trouble>;
}

impl Rows for [Source; 2] {
    fn each(&self, run: usize, take: &mut dyn FnMut(u32, &Record)) -> Result<(), Trouble> {
        let Some(source) = self.get(run) else {
            return Ok(());
        };
        source.each(&mut |row: Row| {
            take(row.session, &row.record);
            Ok(())
        })
    }
}

/// What is gathered of one session of one run.
struct Gathered<T> {
    run: usize,
    number: usize,
    of: T,
}

/// Goes through both runs once for all of `gathered`.
fn gather<T>(
    rows: &impl Rows,
    gathered: &mut [Gathered<T>],
    record: impl Fn(&mut T, &Record),
) -> Result<(), Trouble> {
    for run in 0..2 {
        let mut own: Vec<&mut Gathered<T>> =
            gathered.iter_mut().filter(|it| it.run == run).collect();
        if own.is_empty() {
            continue;
        }
        rows.each(run, &mut |number, what| {
            let number = usize::try_from(number).unwrap_or(0);
            for it in own.iter_mut().filter(|it| it.number == number) {
                record(&mut it.of, what);
            }
        })?;
    }
    Ok(())
}

/// First and last numbers of the sessions.
pub(super) fn numbers(
    rows: &impl Rows,
    comparisons: &[Comparison],
) -> Result<Vec<[Scope; 2]>, Trouble> {
    let mut spans: Vec<Gathered<Option<(u64, u64)>>> = comparisons
        .iter()
        .flat_map(Comparison::sessions)
        .map(|(run, number)| Gathered {
            run,
            number,
            of: None,
        })
        .collect();
    gather(rows, &mut spans, |span, record| {
        if let Record::Sample(sample) = record
            && sample.fate != Fate::Duplicate
        {
            let (first, last) = span.unwrap_or((sample.seq, sample.seq));
            *span = Some((first.min(sample.seq), last.max(sample.seq)));
        }
    })?;
    let scope = |span: &Gathered<Option<(u64, u64)>>| {
        let (first, last) = span.of.unwrap_or_default();
        Scope::whole(first, last)
    };
    let mut scopes = spans.iter().map(scope);
    let mut pairs = Vec::with_capacity(comparisons.len());
    while let (Some(before), Some(after)) = (scopes.next(), scopes.next()) {
        pairs.push([before, after]);
    }
    Ok(pairs)
}

/// The blocks of each comparison.
pub(super) fn in_blocks(
    rows: &impl Rows,
    wanted: &[(&Comparison, [Scope; 2])],
) -> Result<Vec<[Blocks; 2]>, Trouble> {
    let mut blocks: Vec<Gathered<Blocks>> = Vec::new();
    for (comparison, scopes) in wanted {
        let of = comparison.blocks(scopes);
        for ((run, number), of) in comparison.sessions().into_iter().zip(of) {
            blocks.push(Gathered { run, number, of });
        }
    }
    gather(rows, &mut blocks, Blocks::record)?;
    let mut blocks = blocks.into_iter().map(|it| it.of);
    let mut pairs = Vec::with_capacity(wanted.len());
    while let (Some(before), Some(after)) = (blocks.next(), blocks.next()) {
        pairs.push([before, after]);
    }
    Ok(pairs)
}

/// Compares the parts of runs that have any.
pub(super) fn by_parts(rows: &impl Rows, comparisons: &mut [Comparison]) -> Result<(), Trouble> {
    let mut metrics: Vec<Gathered<(Scope, SessionMetrics)>> = Vec::new();
    for comparison in comparisons.iter() {
        for part in &comparison.parts {
            for ((run, number), scope) in comparison.sessions().into_iter().zip(&part.scopes) {
                let config = comparison.reports.get(run).map(|report| &report.config);
                let metrics_of =
                    config.map_or_else(SessionMetrics::new, SessionMetrics::with_config);
                let of = (scope.clone(), metrics_of);
                metrics.push(Gathered { run, number, of });
            }
        }
    }
    gather(
        rows,
        &mut metrics,
        |(scope, metrics), record| match record {
            Record::Sample(sample) if scope.has(sample.seq) => metrics.record(sample),
            Record::ClockStep { .. } => metrics.record_clock_step(),
            Record::SourceChange { .. } => metrics.record_source_change(),
            Record::Begun { .. }
            | Record::Sample(_)
            | Record::NotSent { .. }
            | Record::Missed { .. } => {}
        },
    )?;
    let mut metrics = metrics.into_iter().map(|it| it.of.1);
    for comparison in comparisons.iter_mut() {
        for part in &mut comparison.parts {
            for report in &mut part.comparison.reports {
                if let Some(metrics) = metrics.next() {
                    // The reflector's numbers of what lies between the parts are missing.
                    report.figures = Figures {
                        lost_forward: None,
                        lost_backward: None,
                        ..metrics.figures()
                    };
                    report.delays = metrics.histograms().cloned();
                }
            }
        }
    }
    let wanted: Vec<(&Comparison, [Scope; 2])> = comparisons
        .iter()
        .flat_map(|comparison| &comparison.parts)
        .map(|part| (&part.comparison, part.scopes.clone()))
        .collect();
    let mut blocks = in_blocks(rows, &wanted)?.into_iter();
    for part in comparisons
        .iter_mut()
        .flat_map(|comparison| &mut comparison.parts)
    {
        if let Some(blocks) = blocks.next() {
            part.comparison.find_reservations(&blocks);
            part.comparison.fill(&blocks, false);
            part.comparison
                .changes
                .retain(|change| part.of.has(change.unit) && change.values != [None; 2]);
        }
    }
    Ok(())
}
