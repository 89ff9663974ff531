//! RFC 4737 over whole lists of arrivals: each definition by searching all earlier arrivals.

/// The figures of one reordered packet.
#[derive(Debug, PartialEq)]
pub(crate) struct Late {
    pub(crate) number: i64,
    /// Its position among the arrivals.
    pub(crate) place: usize,
    /// Section 4.2.3.
    pub(crate) extent: u64,
    /// Section 4.3.3, in nanoseconds.
    pub(crate) behind_ns: i64,
    /// The largest n for which it is n-reordered (section 5.3).
    pub(crate) n: u64,
}

/// The reordered packets of arrivals (number, time), in order of arrival.
pub(crate) fn reordered(arrivals: &[(i64, i64)]) -> Vec<Late> {
    let mut late = vec![];
    for (i, (number, at)) in arrivals.iter().enumerate() {
        let Some(j) = (0..i).find(|j| arrivals[*j].0 > *number) else {
            continue;
        };
        let n = (0..i)
            .rev()
            .take_while(|j| arrivals[*j].0 > *number)
            .count();
        late.push(Late {
            number: *number,
            place: i,
            extent: (i - j) as u64,
            behind_ns: at - arrivals[j].1,
            n: n as u64,
        });
    }
    late
}

/// Lengths of the runs of in-order packets that a reordered one ended, and the in-order packets
/// (section 4.6).
pub(crate) fn free_runs(arrivals: &[(i64, i64)]) -> (Vec<u64>, u64) {
    let mut runs = vec![];
    let (mut run, mut in_order) = (0, 0);
    for i in 0..arrivals.len() {
        if arrivals[..i]
            .iter()
            .any(|earlier| earlier.0 > arrivals[i].0)
        {
            runs.push(run);
            run = 0;
        } else {
            run += 1;
            in_order += 1;
        }
    }
    (runs, in_order)
}
