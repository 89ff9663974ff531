//! The options of metrics.

use std::net::SocketAddr;

use clap::Args;

#[cfg(feature = "metrics")]
use super::OUTPUT;
#[cfg(feature = "daemon")]
use super::otlp::collector;
#[cfg(feature = "daemon")]
use super::value::{Time, quantity};
#[cfg(feature = "daemon")]
use crate::exporter::Push;
#[cfg(feature = "daemon")]
use crate::http::client::Endpoint;

/// Metrics of the running process.
#[derive(Debug, Default, Args)]
pub(crate) struct MetricsOptions {
    /// Serve metrics for Prometheus at this address, as http://ADDR:PORT/metrics; port 0: any free one
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address, help_heading = OUTPUT)]
    metrics: Option<SocketAddr>,

    /// Push metrics to this OpenTelemetry collector (OTLP over HTTP), as in http://127.0.0.1:4318;
    /// headers come from OTEL_EXPORTER_OTLP_HEADERS in the environment
    #[cfg(feature = "daemon")]
    #[arg(long, value_name = "URL", value_parser = collector, help_heading = OUTPUT)]
    otlp: Option<Endpoint>,

    /// Push metrics every TIME, and once more at the end; 60 s unless given
    #[cfg(feature = "daemon")]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = quantity::from_one_second,
        requires = "otlp",
        help_heading = OUTPUT
    )]
    otlp_interval: Option<Time>,
}

impl MetricsOptions {
    /// Where to serve them.
    #[cfg_attr(
        not(feature = "metrics"),
        expect(clippy::unused_self, reason = "then there is no such option")
    )]
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        #[cfg(feature = "metrics")]
        return self.metrics;
        #[cfg(not(feature = "metrics"))]
        None
    }

    /// Where to push them.
    #[cfg(feature = "daemon")]
    pub(crate) fn push(&self) -> Option<Push> {
        let every = self.otlp_interval.map(|Time(every)| every);
        let collector = self.otlp.clone()?;
        Some(Push {
            collector,
            every: every.unwrap_or(EVERY),
        })
    }

    /// Whether anything reads them.
    pub(crate) fn are_read(&self) -> bool {
        #[cfg(feature = "daemon")]
        if self.otlp.is_some() {
            return true;
        }
        self.address().is_some()
    }
}

/// What exporters of OpenTelemetry do.
#[cfg(feature = "daemon")]
const EVERY: std::time::Duration = std::time::Duration::from_mins(1);

/// No name: what listens for anybody must not depend on a lookup.
#[cfg(feature = "metrics")]
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "use an address of this host and a TCP port, as in 127.0.0.1:9862 or [::1]:9862; 0.0.0.0 and [::] \
         are all addresses"
            .to_owned()
    })
}
