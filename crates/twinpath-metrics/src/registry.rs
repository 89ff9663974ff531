//! Names of the Performance Metrics Registry (RFC 8912), for runs that have a registered metric's
//! exact parameters.

/// A registered metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryMetric {
    /// Round-trip delay (RFC 8912 section 4).
    RoundTripDelay,
    /// Round-trip loss (RFC 8912 section 4).
    RoundTripLoss,
    /// One-way packet delay variation against the minimum (RFC 8912 section 5).
    OneWayVariation,
    /// One-way delay (RFC 8912 sections 7 and 8).
    OneWayDelay,
    /// One-way loss (RFC 8912 sections 7 and 8).
    OneWayLoss,
}

/// A statistic of a registered metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryStatistic {
    /// 95th percentile, nearest rank.
    Percentile95,
    /// Arithmetic mean.
    Mean,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Standard deviation of the population.
    StdDev,
    /// Lost packets of those sent, in percent.
    LossRatio,
}

/// When packets are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryStream {
    /// One every interval, from a random start within `start_within_ns` (RFC 3432).
    Periodic {
        /// incT, nanoseconds.
        interval_ns: u64,
        /// dT, nanoseconds.
        start_within_ns: u64,
    },
    /// Exponential gaps, computed beforehand (RFC 2330 section 11.1.3, method 3).
    Poisson {
        /// The mean gap, nanoseconds.
        mean_ns: u64,
        /// The longest gap, to which longer ones are cut; `None`: unlimited.
        longest_ns: Option<u64>,
    },
}

/// The parameters of a run that the registry fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryParameters {
    /// When packets are sent.
    pub stream: RegistryStream,
    /// UDP payload octets of every test packet, in both directions.
    pub payload: u32,
    /// Tmax, nanoseconds.
    pub timeout_ns: u64,
    /// TTL or Hop Limit as sent.
    pub ttl: u8,
    /// DSCP as sent.
    pub dscp: u8,
    /// Whether packets have the format of TWAMP-Test (RFC 5357 section 4.1.2), or the compatible
    /// one of STAMP.
    pub twamp_format: bool,
}

impl RegistryParameters {
    /// Whether they are those of a registered metric.
    pub fn are_registered(&self) -> bool {
        (self.timeout_ns, self.ttl, self.dscp) == (3 * SECOND, 255, 0) && stream(self).is_some()
    }
}

const SECOND: u64 = 1_000_000_000;

/// The registry's name of a figure, if the run has exactly the parameters of that name; otherwise
/// `None`.
pub fn registry_name(
    metric: RegistryMetric,
    statistic: RegistryStatistic,
    parameters: &RegistryParameters,
) -> Option<&'static str> {
    use RegistryMetric as M;
    use RegistryStatistic as S;
    if !parameters.are_registered() {
        return None;
    }
    match (stream(parameters)?, metric, statistic) {
        (Registered::Periodic100, M::RoundTripDelay, S::Percentile95) => {
            Some("RTDelay_Active_IP-UDP-Periodic_RFC8912sec4_Seconds_95Percentile")
        }
        (Registered::Periodic100, M::RoundTripLoss, S::LossRatio) => {
            Some("RTLoss_Active_IP-UDP-Periodic_RFC8912sec4_Percent_LossRatio")
        }
        (Registered::Periodic200, M::OneWayVariation, S::Percentile95) => {
            Some("OWPDV_Active_IP-UDP-Periodic_RFC8912sec5_Seconds_95Percentile")
        }
        (Registered::Poisson250, metric, statistic) => one_way(metric, statistic, &POISSON_NAMES),
        (Registered::Periodic142, metric, statistic) => one_way(metric, statistic, &PERIODIC_NAMES),
        (Registered::Periodic100 | Registered::Periodic200, _, _) => None,
    }
}

/// The streams that the registry knows, by their payloads.
#[derive(Clone, Copy)]
enum Registered {
    /// Section 4.
    Periodic100,
    /// Section 5.
    Periodic200,
    /// Section 7.
    Poisson250,
    /// Section 8.
    Periodic142,
}

fn stream(parameters: &RegistryParameters) -> Option<Registered> {
    const PERIODIC: RegistryStream = RegistryStream::Periodic {
        interval_ns: SECOND / 50,
        start_within_ns: SECOND,
    };
    const POISSON: RegistryStream = RegistryStream::Poisson {
        mean_ns: SECOND,
        longest_ns: Some(30 * SECOND),
    };
    match (parameters.payload, parameters.twamp_format) {
        (100, _) if parameters.stream == PERIODIC => Some(Registered::Periodic100),
        (200, _) if parameters.stream == PERIODIC => Some(Registered::Periodic200),
        (142, true) if parameters.stream == PERIODIC => Some(Registered::Periodic142),
        (250, true) if parameters.stream == POISSON => Some(Registered::Poisson250),
        _ => None,
    }
}

const POISSON_NAMES: [&str; 6] = [
    "OWDelay_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Seconds_95Percentile",
    "OWDelay_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Seconds_Mean",
    "OWDelay_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Seconds_Min",
    "OWDelay_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Seconds_Max",
    "OWDelay_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Seconds_StdDev",
    "OWLoss_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Percent_LossRatio",
];

const PERIODIC_NAMES: [&str; 6] = [
    "OWDelay_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Seconds_95Percentile",
    "OWDelay_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Seconds_Mean",
    "OWDelay_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Seconds_Min",
    "OWDelay_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Seconds_Max",
    "OWDelay_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Seconds_StdDev",
    "OWLoss_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Percent_LossRatio",
];

fn one_way(
    metric: RegistryMetric,
    statistic: RegistryStatistic,
    names: &[&'static str; 6],
) -> Option<&'static str> {
    let [p95, mean, min, max, stddev, loss] = *names;
    let delay = metric == RegistryMetric::OneWayDelay;
    match statistic {
        RegistryStatistic::Percentile95 => delay.then_some(p95),
        RegistryStatistic::Mean => delay.then_some(mean),
        RegistryStatistic::Min => delay.then_some(min),
        RegistryStatistic::Max => delay.then_some(max),
        RegistryStatistic::StdDev => delay.then_some(stddev),
        RegistryStatistic::LossRatio => (metric == RegistryMetric::OneWayLoss).then_some(loss),
    }
}
