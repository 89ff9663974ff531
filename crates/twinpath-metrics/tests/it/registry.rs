//! Names of the registry of RFC 8912, and when they must not be used.

use twinpath_metrics::{
    RegistryMetric as Metric, RegistryParameters, RegistryStatistic as Statistic, RegistryStream,
    registry_name,
};

const SECOND: u64 = 1_000_000_000;
const PERIODIC: RegistryStream = RegistryStream::Periodic {
    interval_ns: 20_000_000,
    start_within_ns: SECOND,
};
const POISSON: RegistryStream = RegistryStream::Poisson {
    mean_ns: SECOND,
    longest_ns: Some(30 * SECOND),
};
const METRICS: [Metric; 5] = [
    Metric::RoundTripDelay,
    Metric::RoundTripLoss,
    Metric::OneWayVariation,
    Metric::OneWayDelay,
    Metric::OneWayLoss,
];
const STATISTICS: [Statistic; 6] = [
    Statistic::Percentile95,
    Statistic::Mean,
    Statistic::Min,
    Statistic::Max,
    Statistic::StdDev,
    Statistic::LossRatio,
];

fn run(stream: RegistryStream, payload: u32) -> RegistryParameters {
    RegistryParameters {
        stream,
        payload,
        timeout_ns: 3 * SECOND,
        ttl: 255,
        dscp: 0,
        twamp_format: true,
    }
}

fn names(parameters: &RegistryParameters) -> Vec<&'static str> {
    METRICS
        .into_iter()
        .flat_map(|metric| STATISTICS.map(|statistic| (metric, statistic)))
        .filter_map(|(metric, statistic)| registry_name(metric, statistic, parameters))
        .collect()
}

#[test]
fn each_stream_has_the_names_of_its_section() {
    assert_eq!(
        names(&run(PERIODIC, 100)),
        [
            "RTDelay_Active_IP-UDP-Periodic_RFC8912sec4_Seconds_95Percentile",
            "RTLoss_Active_IP-UDP-Periodic_RFC8912sec4_Percent_LossRatio",
        ]
    );
    assert_eq!(
        names(&run(PERIODIC, 200)),
        ["OWPDV_Active_IP-UDP-Periodic_RFC8912sec5_Seconds_95Percentile"]
    );
    let statistics = ["95Percentile", "Mean", "Min", "Max", "StdDev"];
    for (parameters, stream) in [
        (run(POISSON, 250), "Poisson-Payload250B_RFC8912sec7"),
        (run(PERIODIC, 142), "Periodic20m-Payload142B_RFC8912sec8"),
    ] {
        let mut expected: Vec<String> = statistics
            .iter()
            .map(|statistic| format!("OWDelay_Active_IP-UDP-{stream}_Seconds_{statistic}"))
            .collect();
        expected.push(format!("OWLoss_Active_IP-UDP-{stream}_Percent_LossRatio"));
        assert_eq!(names(&parameters), expected);
    }
}

#[test]
fn a_run_with_any_other_parameter_has_no_name() {
    let good = run(PERIODIC, 142);
    let periodic = |interval_ns, start_within_ns| RegistryStream::Periodic {
        interval_ns,
        start_within_ns,
    };
    let poisson = |mean_ns, longest_ns| RegistryStream::Poisson {
        mean_ns,
        longest_ns,
    };
    let others = [
        RegistryParameters {
            timeout_ns: 2 * SECOND,
            ..good
        },
        RegistryParameters { ttl: 64, ..good },
        RegistryParameters { dscp: 46, ..good },
        RegistryParameters {
            twamp_format: false,
            ..good
        },
        run(PERIODIC, 250),
        run(POISSON, 142),
        run(PERIODIC, 41),
        run(periodic(100_000_000, SECOND), 142),
        run(periodic(20_000_000, 20_000_000), 142),
        run(poisson(SECOND, None), 250),
        run(poisson(SECOND / 10, Some(30 * SECOND)), 250),
    ];
    for parameters in others {
        assert_eq!(names(&parameters), Vec::<&str>::new(), "{parameters:?}");
    }
}
