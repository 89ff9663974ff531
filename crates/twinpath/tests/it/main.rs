//! The program as its users run it: real processes over loopback.
#![cfg_attr(
    not(all(
        feature = "control",
        feature = "live",
        feature = "metrics",
        feature = "pictures",
        feature = "report"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "what tests share is more than those of a part of the program use"
    )
)]
#![cfg(test)]

mod admission;
mod advances;
mod authenticated;
mod authenticated_sender;
mod bursts;
#[cfg(feature = "report")]
mod capture_beside;
#[cfg(feature = "report")]
mod capture_keys;
#[cfg(feature = "report")]
mod capture_reports;
#[cfg(feature = "report")]
mod capture_tlvs;
mod checks;
mod classes;
mod control;
#[cfg(feature = "daemon")]
mod daemon;
#[cfg(feature = "report")]
mod directions;
mod doctor;
mod documented;
mod endings;
#[cfg(target_os = "linux")]
mod every_option;
mod far_clocks;
mod far_end;
mod forgeries;
#[cfg(target_os = "linux")]
mod groups;
#[cfg(all(target_os = "linux", feature = "report", feature = "pictures"))]
mod hangups;
mod hints;
mod hostile;
mod hosts;
#[cfg(target_os = "linux")]
mod icinga;
#[cfg(all(feature = "control", unix))]
mod import_owamp;
mod interfaces;
mod intervals;
mod keys;
mod kills;
mod layers;
mod limits;
#[cfg(feature = "live")]
mod live;
#[cfg(target_os = "linux")]
mod log_forms;
mod logs;
#[cfg(target_os = "linux")]
mod lossy;
mod many;
#[cfg(target_os = "linux")]
mod members;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(all(feature = "metrics", target_os = "linux"))]
mod metrics;
#[cfg(target_os = "linux")]
mod names;
mod namespaces;
mod observed;
mod one_way;
mod openwrt;
mod options;
mod other_tools;
#[cfg(all(feature = "daemon", target_os = "linux"))]
mod otlp;
mod outputs;
#[cfg(feature = "pictures")]
mod pictures;
#[cfg(feature = "report")]
mod places;
mod program;
mod prometheus;
#[cfg(unix)]
mod pscheduler;
#[cfg(feature = "report")]
mod reports;
mod responders;
#[cfg(feature = "report")]
mod rotated;
mod rough;
#[cfg(target_os = "linux")]
mod routed;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(feature = "report")]
mod saved;
mod schedules;
mod secured;
#[cfg(target_os = "linux")]
mod service;
mod session_states;
#[cfg(feature = "report")]
mod several_files;
mod stamp_layers;
#[cfg(all(feature = "metrics", feature = "status", target_os = "linux"))]
mod status;
mod strict;
#[cfg(all(feature = "metrics", feature = "status", target_os = "linux"))]
mod systemd;
mod tlvs;
mod under_wine;
#[cfg(target_os = "linux")]
mod units;
mod unsent;
mod usage;
#[cfg(target_os = "linux")]
mod ways;
mod widths;
mod wire;
#[cfg(all(target_os = "linux", feature = "report", feature = "pictures"))]
mod written;
