//! Whether the system clock follows a PTP hardware clock.
//!
//! The kernel says that the clock is synchronized, not by what. The program that steers it by a
//! hardware clock (`phc2sys` of linuxptp) is known by its name, and its direction by its arguments.

use std::fs;

/// The clock that is steered where the arguments do not say another.
const SYSTEM_CLOCK: &str = "CLOCK_REALTIME";

/// Whether `phc2sys` steers the system clock. Costs a few system calls for each process, where this
/// host has a PTP hardware clock.
pub fn follows_phc() -> bool {
    let has_clock = fs::read_dir("/sys/class/ptp").is_ok_and(|mut clocks| clocks.next().is_some());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    has_clock
        && processes.map(|process| process.path()).any(|process| {
            let is_named = |name| name == "phc2sys\n";
            fs::read_to_string(process.join("comm")).is_ok_and(is_named)
                && fs::read_to_string(process.join("cmdline"))
                    .is_ok_and(|line| steers_system_clock(line.split_terminator('\0').skip(1)))
        })
}

/// By the arguments of `phc2sys`, read as `getopt` does.
fn steers_system_clock<'a>(mut arguments: impl Iterator<Item = &'a str>) -> bool {
    /// Those without a value.
    const SWITCHES: &str = "arwqmvhx";
    let (mut is_automatic, mut has_system_clock) = (false, false);
    let (mut source, mut sink) = (None, SYSTEM_CLOCK);
    while let Some(argument) = arguments.next() {
        let Some(letters) = argument.strip_prefix('-') else {
            continue;
        };
        // A long option has its value behind `=`.
        for (at, letter) in letters
            .char_indices()
            .take_while(|_| !letters.starts_with('-'))
        {
            is_automatic |= letter == 'a';
            has_system_clock |= letter == 'r';
            if SWITCHES.contains(letter) {
                continue;
            }
            let joined = letters.get(at + letter.len_utf8()..);
            let value = joined.filter(|value| !value.is_empty());
            let value = value.or_else(|| arguments.next());
            match letter {
                's' => source = value,
                'd' => source = source.or(value),
                'c' => sink = value.unwrap_or_default(),
                _ => {}
            }
            break;
        }
    }
    if is_automatic {
        return has_system_clock;
    }
    sink == SYSTEM_CLOCK && source.is_some_and(|source| source != SYSTEM_CLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_is_in_the_arguments() {
        for (line, steers) in [
            ("-s eth0 -w", true),
            ("-w -seth0 -cCLOCK_REALTIME -O -37", true),
            ("-d /dev/pps0", true),
            ("-m -c CLOCK_REALTIME -s /dev/ptp0", true),
            ("-a -r", true),
            ("-arr", true),
            ("-f /etc/linuxptp/ptp4l.conf -ar --step_threshold=1", true),
            ("-a", false),
            ("-a -m -z /var/run/ptp4l", false),
            ("-s CLOCK_REALTIME -c eth0 -w", false),
            ("-s eth0 -c eth1", false),
            ("-f -r -s eth0 -c -a", false),
            ("", false),
        ] {
            assert_eq!(
                steers_system_clock(line.split_whitespace()),
                steers,
                "{line}"
            );
        }
    }

    #[test]
    fn every_process_can_be_looked_at() {
        // Whichever it is here: nothing that runs makes it fail.
        let _known = follows_phc();
    }
}
