//! Figures that a report has on request.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use twinpath_metrics::{BinEdges, Codec, MAX_EDGES, ReflectorKind, VoiceParameters};
use twinpath_report::Requested;
use twinpath_runtime::Unavailable;

use super::value::quantity::{
    Milliseconds, at_least_one, listed, number, out_of_range, seconds, signed_time,
};
use super::{Advice, FIGURES, OutputFormat};

/// Which figures a report has beside the usual ones.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = FIGURES)]
pub(crate) struct FigureArgs {
    /// Count delays in bins: edges as 1ms,2ms,5ms, N bins as lin:LO:HI:N or log:LO:HI:N, or auto
    #[arg(long, value_name = "EDGES")]
    pub(crate) bins: Option<Bins>,

    /// Also report percentiles that count a lost packet as infinite delay
    #[arg(long)]
    pub(crate) percentiles_with_loss: bool,

    #[command(flatten)]
    pub(crate) terms: FigureTerms,
}

/// On which terms figures are computed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = FIGURES)]
pub(crate) struct FigureTerms {
    /// Estimate call quality with this codec; JSON always has it [JSON default: g711]
    #[arg(long, value_name = "CODEC")]
    pub(crate) voice: Option<VoiceCodec>,

    /// De-jitter buffer of the call: milliseconds, or with a unit [default: 40]
    #[arg(long, value_name = "MS", requires = "voice")]
    pub(crate) jitter_buffer: Option<Milliseconds>,

    /// Loss distance up to which losses count as noticeable (RFC 3357) [default: 99]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub(crate) loss_noticeable: Option<u64>,

    /// Call a session failed after N losses in a row, until a reply comes [default: 5]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    pub(crate) failed_after: Option<u64>,

    /// Call the path unavailable after N consecutive blocks of length T with more loss than this,
    /// until N with less; T is one second, or ten intervals if longer [default: 50%/10]
    #[arg(long, value_name = "LOSS%/N[/T]")]
    pub(crate) unavailable: Option<Threshold>,

    /// Whether the reflector counts its replies itself, which gives the direction of losses
    /// [default: detected from the replies; TWAMP: stateful]
    #[arg(long, value_name = "KIND")]
    pub(crate) reflector: Option<Counting>,
}

impl FigureArgs {
    /// For the report.
    pub(crate) fn requested(&self) -> Requested {
        let terms = &self.terms;
        let codec = terms.voice.map(Codec::from).unwrap_or_default();
        let mut voice = VoiceParameters::of(codec);
        if let Some(buffer) = terms.jitter_buffer {
            voice.buffer_ms = buffer.0.as_secs_f64() * 1e3;
        }
        Requested {
            voice,
            voice_asked: terms.voice.is_some(),
            with_loss: self.percentiles_with_loss,
            automatic_bins: matches!(self.bins, Some(Bins::Automatic)),
            ..Requested::default()
        }
    }

    /// The options of which `form` shows nothing. It is never --reflector, by which packets are judged.
    pub(crate) fn unshown(&self, form: OutputFormat) -> Vec<&'static str> {
        let is_csv = form == OutputFormat::Csv;
        let terms = &self.terms;
        [
            ("--bins", self.bins.is_some() && !form.has_rows()),
            ("--voice", terms.voice.is_some() && is_csv),
            ("--jitter-buffer", terms.jitter_buffer.is_some() && is_csv),
            (
                "--percentiles-with-loss",
                self.percentiles_with_loss && is_csv,
            ),
            (
                "--loss-noticeable",
                terms.loss_noticeable.is_some() && is_csv,
            ),
            ("--unavailable", terms.unavailable.is_some() && is_csv),
        ]
        .into_iter()
        .filter_map(|(option, unshown)| unshown.then_some(option))
        .collect()
    }

    /// For the run.
    pub(crate) fn edges(&self) -> Option<BinEdges> {
        match &self.bins {
            Some(Bins::Edges(edges)) => Some(edges.clone()),
            Some(Bins::Automatic) | None => None,
        }
    }
}

/// When a path is unavailable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold(Unavailable);

impl From<Threshold> for Unavailable {
    fn from(threshold: Threshold) -> Self {
        threshold.0
    }
}

impl FromStr for Threshold {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let wrong = || Advice::new("not a threshold: use 50%/10, or 5%/3/10s for blocks of 10 s");
        let (share, blocks) = text.split_once('/').ok_or_else(wrong)?;
        let (blocks, length) = match blocks.split_once('/') {
            Some((blocks, length)) => (blocks, Some(length)),
            None => (blocks, None),
        };
        let share: f64 = share
            .strip_suffix('%')
            .and_then(|share| share.parse().ok())
            .ok_or_else(wrong)?;
        if !(0.0..100.0).contains(&share) {
            return Err(out_of_range("0%", "less than 100%"));
        }
        let length = match length {
            Some(length) => {
                let block = seconds(length, (Duration::from_millis(1), "1ms"));
                Some(block.map_err(|advice| advice.of("T", length))?.0)
            }
            None => None,
        };
        Ok(Self(Unavailable {
            bad_above: share / 100.0,
            in_a_row: at_least_one(blocks).map_err(|advice| advice.of("N", blocks))?,
            block: length,
        }))
    }
}

/// Whether a reflector has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Counting {
    // Each reply has the next number.
    Stateful,
    // It copies the sender's.
    Stateless,
}

impl From<Counting> for ReflectorKind {
    fn from(kind: Counting) -> Self {
        match kind {
            Counting::Stateful => Self::Stateful,
            Counting::Stateless => Self::Stateless,
        }
    }
}

/// Codecs of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VoiceCodec {
    // With packet loss concealment.
    G711,
    // Without.
    #[value(name = "g711-noplc")]
    G711NoPlc,
    // Annex A.
    G729a,
    // At 6.3 kbit/s.
    #[value(name = "g723.1")]
    G7231,
}

impl From<VoiceCodec> for Codec {
    fn from(codec: VoiceCodec) -> Self {
        match codec {
            VoiceCodec::G711 => Self::G711Plc,
            VoiceCodec::G711NoPlc => Self::G711,
            VoiceCodec::G729a => Self::G729a,
            VoiceCodec::G7231 => Self::G7231,
        }
    }
}

/// Bins of delays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bins {
    /// Between these.
    Edges(BinEdges),
    /// Of a round width that fits what was measured.
    Automatic,
}

impl FromStr for Bins {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        if text == "auto" {
            return Ok(Self::Automatic);
        }
        let edges = match text.split_once(':') {
            Some(("lin", range)) => linear(range)?,
            Some(("log", range)) => logarithmic(range)?,
            Some(_) => return Err(wrong()),
            None => {
                let edges = text.split(',');
                if text.contains(',') {
                    edges.clone().try_for_each(listed)?;
                }
                edges.map(edge).collect::<Result<_, _>>()?
            }
        };
        BinEdges::new(&edges)
            .map(Self::Edges)
            .map_err(|error| Advice::new(error.to_string()))
    }
}

fn wrong() -> Advice {
    Advice::new("not bins: use 1ms,2ms,5ms or lin:0:10ms:20 or log:100us:1s:40 or auto")
}

/// Nanoseconds.
fn edge(text: &str) -> Result<i64, Advice> {
    signed_time(text).map_err(|_| wrong())
}

/// Both ends and the number of bins.
fn range(kind: &str, text: &str) -> Result<(i64, i64, u32), Advice> {
    let mut fields = text.split(':');
    let (Some(low), Some(high), Some(bins), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(wrong());
    };
    let ends = (edge(low)?, edge(high)?);
    if ends.0 >= ends.1 {
        return Err(Advice::new(if ends.0 == ends.1 {
            format!("both ends are {low}: use {kind}:LO:HI:{bins}")
        } else {
            format!("the lower end comes first: use {kind}:{high}:{low}:{bins}")
        }));
    }
    let (low, high) = ends;
    let most = u64::try_from(MAX_EDGES - 1).unwrap_or(u64::MAX);
    let bins = number(bins, 1..=most).map_err(|advice| advice.of("N", bins))?;
    Ok((low, high, bins))
}

fn linear(text: &str) -> Result<Vec<i64>, Advice> {
    let (low, high, bins) = range("lin", text)?;
    let width = i128::from(high) - i128::from(low);
    let edge = |bin: u32| {
        let edge = i128::from(low) + width * i128::from(bin) / i128::from(bins);
        i64::try_from(edge).map_err(|_| wrong())
    };
    (0..=bins).map(edge).collect()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "edges between both ends, which are below a year: rounded to nanoseconds"
)]
fn logarithmic(text: &str) -> Result<Vec<i64>, Advice> {
    let (low, high, bins) = range("log", text)?;
    if low <= 0 {
        return Err(Advice::new(
            "logarithmic bins begin above 0: use log:100us:1s:40",
        ));
    }
    let ratio = high as f64 / low as f64;
    let edge = |bin: u32| {
        let share = f64::from(bin) / f64::from(bins);
        (low as f64 * ratio.powf(share)).round() as i64
    };
    Ok((0..bins).map(edge).chain([high]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(text: &str) -> Vec<i64> {
        match text.parse() {
            Ok(Bins::Edges(edges)) => edges.edges_ns().to_vec(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_threshold_has_a_share_a_number_and_perhaps_a_length() {
        for (text, bad_above, in_a_row, block) in [
            ("50%/10", 0.5, 10, None),
            ("0%/1", 0.0, 1, None),
            ("2.5%/3/10s", 0.025, 3, Some(Duration::from_secs(10))),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            let expected = Unavailable {
                bad_above,
                in_a_row,
                block,
            };
            assert_eq!(threshold.0, expected, "{text}");
        }
        for text in [
            "",
            "50",
            "50%",
            "50/10",
            "50%/0",
            "50%/-1",
            "100%/10",
            "-1%/10",
            "nan%/10",
            "inf%/1",
            "50%/10/",
            "50%/10/0",
            "50%/10/1us",
            "50%/10/10s/2",
        ] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }

    #[test]
    fn bins_are_listed_or_cut_evenly_or_by_a_ratio() {
        assert_eq!(edges("1ms,2ms,5ms"), [1_000_000, 2_000_000, 5_000_000]);
        assert_eq!(edges("-1ms,0,1.5us"), [-1_000_000, 0, 1_500]);
        assert_eq!(edges("lin:-1us:1us:4"), [-1_000, -500, 0, 500, 1_000]);
        assert_eq!(edges("lin:0:10ns:3"), [0, 3, 6, 10]);
        assert_eq!(edges("log:1us:1ms:3"), [1_000, 10_000, 100_000, 1_000_000]);
        assert_eq!(edges("lin:0:1:999").len(), 1000);
        assert_eq!("auto".parse(), Ok(Bins::Automatic));
    }

    #[test]
    fn what_are_no_bins_is_answered_with_what_to_write() {
        for (text, part) in [
            ("", "lin:0:10ms:20"),
            ("fast", "lin:0:10ms:20"),
            ("exp:1:2:3", "lin:0:10ms:20"),
            ("1ms,", "write the list without spaces"),
            ("1ms,,2ms", "write the list without spaces"),
            ("lin:1:2", "lin:0:10ms:20"),
            ("lin:1:2:3:4", "lin:0:10ms:20"),
            ("2ms,1ms", "greater than the one before"),
            ("1ms,1ms", "greater than the one before"),
            ("lin:2:1:4", "the lower end comes first: use lin:1:2:4"),
            ("log:1ms:1us:3", "use log:1us:1ms:3"),
            ("lin:-1:-2:3", "use lin:-2:-1:3"),
            ("lin:1s:1000ms:4", "both ends are 1s: use lin:LO:HI:4"),
            ("lin:0:1ms:0", "out of range: use 1 to 999"),
            ("lin:0:1ms:1000", "out of range: use 1 to 999"),
            ("lin:0:2ns:4", "greater than the one before"),
            ("log:0:1ms:4", "above 0"),
            ("log:-1us:1ms:4", "above 0"),
        ] {
            let error = text.parse::<Bins>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_buffer_is_in_milliseconds() {
        let buffer = |text: &str| text.parse::<Milliseconds>().map(|buffer| buffer.0);
        assert_eq!(buffer("60"), Ok(Duration::from_millis(60)));
        assert_eq!(buffer("0"), Ok(Duration::ZERO));
        assert_eq!(buffer("0.1s"), Ok(Duration::from_millis(100)));
        assert!(buffer("11s").is_err());
        assert!(buffer("long").is_err());
    }
}
