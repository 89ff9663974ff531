//! What samples mean: delay, delay variation, loss, duplication and reordering, per direction.
//!
//! [`SessionMetrics`] takes the [`Sample`](twinpath_wire::Sample)s of one session and comes to
//! [`Figures`], in constant memory and without an allocation per packet. [`ClockModel`] tells the
//! two clocks apart from the path, [`Intervals`] cuts a run into rows that add up, [`Timeline`]
//! into the columns of a picture; their memory is bounded too. The crate knows no protocol, no
//! socket and no output format. Names and formulas are those of the IPPM RFCs; rows (M-1 and on)
//! number the project's conformance tables.
#![forbid(unsafe_code)]

mod apart;
mod availability;
mod bins;
mod books;
mod clocks;
mod compact;
mod config;
mod coverage;
mod delay;
mod delays;
mod distribution;
mod duplication;
mod epoch;
mod far_times;
mod figures;
mod histogram;
mod intervals;
mod ipdv;
mod jitter;
mod loss;
mod marking;
mod merge;
mod moments;
mod page;
mod periods;
mod rank;
mod registry;
mod reordering;
mod resequence;
mod resolution;
mod round;
mod run_time;
mod rungs;
mod seen;
mod session;
mod sizes;
mod step;
mod timeline;
mod ttl;
mod voice;

pub use availability::AvailabilityRule;
pub use bins::{BadEdges, BinCounts, BinEdges, MAX_EDGES};
pub use books::{Books, BooksConfig, Record};
pub use clocks::{Basis, ClockEstimate, ClockModel, FarStep, OneWay, Spread};
pub use config::MetricsConfig;
pub use coverage::Coverage;
pub use delays::{Distributions, Histograms};
pub use distribution::{Distribution, DistributionParts};
pub use far_times::{FarFormat, FarTimes};
pub use figures::{
    AvailabilityFigures, BinFigures, DelayFigures, DuplicationFigures, EcnCounts, Figures,
    LossPeriods, PercentilesWithLoss, RemarkCounts, ReorderingFigures, TtlFigures,
};
pub use histogram::{BadParts, Histogram, HistogramBin, HistogramParts};
pub use intervals::{IntervalFigures, Intervals, LossChange, Suspect, Waits};
pub use loss::ReflectorKind;
pub use registry::{
    RegistryMetric, RegistryParameters, RegistryStatistic, RegistryStream, registry_name,
};
pub use rungs::RungCounts;
pub use session::SessionMetrics;
pub use sizes::SizeCounts;
pub use timeline::{Column, Marks, Smoke, Timeline};
pub use voice::{
    Codec, Voice, VoiceFigures, VoiceParameters, delay_impairment, loss_impairment, mos, r_factor,
};
