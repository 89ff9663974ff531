//! The machine that figures were measured on.

use std::fs;

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    kernel: String,
    processor: String,
    pub(crate) cores: usize,
    memory_mib: u64,
    virtualized: bool,
    clocksource: String,
    /// Over the minute before the benchmark: what else the machine was doing.
    load: f64,
}

impl Machine {
    /// What a reader must know where the machine was not left alone.
    pub(crate) fn disturbance(&self) -> Option<String> {
        (self.load > 1.0).then(|| {
            format!(
                "the machine was busy (load {}) before this began: figures are noisy",
                self.load
            )
        })
    }

    pub(crate) fn survey() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        Self {
            kernel: read("/proc/sys/kernel/osrelease"),
            processor: value(&cpuinfo, "model name")
                .unwrap_or("unknown")
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            memory_mib: value(&read("/proc/meminfo"), "MemTotal").map_or(0, kib) / 1024,
            virtualized: value(&cpuinfo, "flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            clocksource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.virtualized {
            "virtual machine"
        } else {
            "no hypervisor"
        };
        write!(
            f,
            "Linux {}, {}, {} cores, {} MiB, {kind}, clocksource {}, load {}",
            self.kernel, self.processor, self.cores, self.memory_mib, self.clocksource, self.load
        )
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

/// The value of the first line `key : value` of a file under /proc.
pub(crate) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name.trim_end() == key).then(|| value.trim()))
}

/// The number of a value such as `1024 kB`; 0 where there is none.
pub(crate) fn kib(value: &str) -> u64 {
    value.trim_end_matches(" kB").trim().parse().unwrap_or(0)
}
