//! The option of metrics.

use std::net::SocketAddr;

use clap::Args;

#[cfg(feature = "metrics")]
use super::OUTPUT;

/// Metrics of the running process.
#[derive(Debug, Default, Args)]
pub(crate) struct MetricsOptions {
    /// Serve metrics for Prometheus at this address, as http://ADDR:PORT/metrics; port 0: any free one
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address, help_heading = OUTPUT)]
    metrics: Option<SocketAddr>,
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
}

/// No name: what listens for anybody must not depend on a lookup.
#[cfg(feature = "metrics")]
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "use an address of this host and a TCP port, as in 127.0.0.1:9862 or [::1]:9862; 0.0.0.0 and [::] \
         are all addresses"
            .to_owned()
    })
}
