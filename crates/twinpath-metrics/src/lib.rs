//! What samples mean: delay, delay variation, loss, duplication and reordering, per direction.
//!
//! [`SessionMetrics`] takes the [`Sample`](twinpath_wire::Sample)s of one session and computes
//! [`Figures`], in constant memory and without an allocation per packet. [`ClockModel`] separates
//! the two clocks from the path, [`Intervals`] divides a run into rows that add up, [`Timeline`]
//! into the columns of a picture; their memory is bounded too. The crate knows no protocol, no
//! socket and no output format. Names and formulas are those of the IPPM RFCs; rows (M-1 and on)
//! number the project's conformance tables.
#![forbid(unsafe_code)]

mod clocks;
mod config;
mod delay;
mod figure_table;
mod figures;
mod loss;
mod merge;
mod one_way;
mod order;
mod path;
mod registry;
mod ring;
mod round;
mod series;
mod session;
mod voice;

pub use clocks::far_times::{FarFormat, FarTimes};
pub use clocks::rungs::RungCounts;
pub use clocks::{Basis, ClockEstimate, ClockModel, FarStep, OneWay, Spread};
pub use config::{FigureMemory, MetricsConfig};
pub use delay::bins::{BadEdges, BinCounts, BinEdges, MAX_EDGES};
pub use delay::delays::{ByKind, Distributions, Histograms};
pub use delay::distribution::{Distribution, DistributionParts};
pub use delay::figures::DelayFigures;
pub use delay::first_departures::FirstDepartures;
pub use delay::histogram::{BadParts, Histogram, HistogramBin, HistogramParts};
pub use figure_table::{About, Figure, Merge, ToValue, Unit, Value};
pub use figures::{
    AvailabilityFigures, BinFigures, DuplicationFigures, EcnCounts, Figures, LossPeriods,
    PercentilesWithLoss, RemarkCounts, ReorderingFigures, SettledBlocks, TtlFigures,
};
pub use loss::availability::AvailabilityRule;
pub use loss::coverage::Coverage;
pub use loss::direction::ReflectorKind;
pub use loss::reply_status::{ReplyStatus, SessionState};
pub use loss::sizes::SizeCounts;
pub use one_way::{OneWayFigures, OneWayMetrics};
pub use registry::{
    RegistryMetric, RegistryParameters, RegistryStatistic, RegistryStream, registry_name,
};
pub use round::ratio;
pub use series::intervals::{
    ClosedInterval, IntervalFigures, Intervals, LossChange, Suspect, Waits,
};
pub use series::session_series::{Record, Series, SeriesConfig};
pub use series::timeline::{Column, Marks, Smoke, Timeline, variation};
pub use session::SessionMetrics;
pub use voice::{
    Codec, Voice, VoiceFigures, VoiceParameters, delay_impairment, loss_impairment, mos, r_factor,
};
