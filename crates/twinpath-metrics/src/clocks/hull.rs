//! Lower convex hull of a stream of points, in bounded memory (rows M-52, M-54).

/// A time and a difference of two clocks, both relative to their segment's origin, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The lower hull of the points, by ascending time.
///
/// Random points leave few vertices (the logarithm of their number), so this is nearly always the
/// exact hull. At the limit, the vertices that matter least are dropped, which loosens the hull but
/// keeps it valid.
#[derive(Clone, Debug)]
pub(crate) struct Hull {
    /// Allocated once, for the most vertices kept.
    vertices: Vec<Point>,
    /// The most vertices that are kept.
    most: usize,
    /// How far the hull may lie above the lowest points because of dropped vertices.
    slack: f64,
}

impl Hull {
    /// With at most this many vertices.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            vertices: Vec::new(),
            most,
            slack: 0.0,
        }
    }

    /// Adds a point at any time. Constant time on average if times mostly ascend.
    #[inline]
    pub(crate) fn insert(&mut self, point: Point) {
        match self.vertices.last() {
            Some(last) if point.x <= last.x => self.insert_within(point),
            _ => self.append(point),
        }
        if self.vertices.len() >= self.most {
            self.thin_out();
        }
    }

    /// Adds the vertices of another hull.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.slack = self.slack.max(other.slack);
        other.vertices.iter().for_each(|point| self.insert(*point));
    }

    /// Forgets all points.
    pub(crate) fn clear(&mut self) {
        self.vertices.clear();
        self.slack = 0.0;
    }

    /// The vertices by ascending time.
    pub(crate) fn vertices(&self) -> &[Point] {
        &self.vertices
    }

    /// How far dropped vertices may have been below the hull, in nanoseconds.
    pub(crate) fn slack(&self) -> f64 {
        self.slack
    }

    /// The least `y - slope * x` of all points; infinite without one.
    pub(crate) fn least(&self, slope: f64) -> f64 {
        least(&self.vertices, slope)
    }

    /// The slope of the edge over `x` (row M-52); `None` with fewer than two vertices.
    pub(crate) fn slope_over(&self, x: f64) -> Option<f64> {
        self.edge_over(x).map(|(one, other)| slope(one, other))
    }

    /// The height of the hull at `x`; beyond the ends, the nearest edge is extended.
    pub(crate) fn height_over(&self, x: f64) -> Option<f64> {
        let (one, other) = self.edge_over(x)?;
        Some(one.y + slope(one, other) * (x - one.x))
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.vertices.capacity() * size_of::<Point>()
    }

    fn edge_over(&self, x: f64) -> Option<(Point, Point)> {
        let after = self.vertices.partition_point(|vertex| vertex.x <= x);
        let right = after.clamp(1, self.vertices.len().checked_sub(1)?.max(1));
        Some((*self.vertices.get(right - 1)?, *self.vertices.get(right)?))
    }

    fn append(&mut self, point: Point) {
        while let [.., before, last] = self.vertices.as_slice()
            && !turns_up(*before, *last, point)
        {
            self.vertices.pop();
        }
        self.make_room();
        self.vertices.push(point);
    }

    /// Twice the room, never more than for the most vertices.
    #[inline]
    fn make_room(&mut self) {
        let count = self.vertices.len();
        if count == self.vertices.capacity() {
            let room = (2 * count).max(4).min(self.most.max(count + 1));
            self.vertices.reserve_exact(room - count);
        }
    }

    /// Adds a point that is out of order.
    #[cold]
    fn insert_within(&mut self, point: Point) {
        let mut place = self.vertices.partition_point(|vertex| vertex.x < point.x);
        if let Some(same) = self.vertices.get_mut(place)
            && same.x <= point.x
        {
            if same.y <= point.y {
                return;
            }
            *same = point;
        } else {
            if place > 0
                && let (Some(before), Some(after)) =
                    (self.vertices.get(place - 1), self.vertices.get(place))
                && !turns_up(*before, point, *after)
            {
                return;
            }
            self.make_room();
            self.vertices.insert(place, point);
        }
        while place >= 2
            && let Some([a, b]) = self.vertices.get(place - 2..place)
            && !turns_up(*a, *b, point)
        {
            self.vertices.remove(place - 1);
            place -= 1;
        }
        while let Some([a, b]) = self.vertices.get(place + 1..place + 3)
            && !turns_up(point, *a, *b)
        {
            self.vertices.remove(place + 1);
        }
    }

    /// Drops the vertices that matter least, but never two neighbours at once.
    #[cold]
    fn thin_out(&mut self) {
        let mut heights = self.heights();
        heights.sort_unstable_by(f64::total_cmp);
        let limit = heights.get(heights.len() / 2).copied().unwrap_or(0.0);
        let heights = self.heights();
        let mut dropped = false;
        let mut worst = 0.0_f64;
        // The ends stay.
        let mut height = std::iter::once(f64::INFINITY)
            .chain(heights)
            .chain([f64::INFINITY]);
        self.vertices.retain(|_| {
            let height = height.next().unwrap_or(f64::INFINITY);
            dropped = !dropped && height <= limit;
            if dropped {
                worst = worst.max(height);
            }
            !dropped
        });
        // Vertices dropped earlier are below edges that are now higher.
        self.slack += worst;
    }

    /// How far each vertex between the ends lies below the chord of its neighbours.
    fn heights(&self) -> Vec<f64> {
        let triples = self.vertices.windows(3);
        triples
            .filter_map(|triple| match triple {
                [a, b, c] => Some(a.y + slope(*a, *c) * (b.x - a.x) - b.y),
                _ => None,
            })
            .collect()
    }
}

/// The least `y - slope * x` of the given points; infinite without one.
pub(crate) fn least(points: &[Point], slope: f64) -> f64 {
    points
        .iter()
        .map(|point| point.y - slope * point.x)
        .fold(f64::INFINITY, f64::min)
}

fn slope(one: Point, other: Point) -> f64 {
    (other.y - one.y) / (other.x - one.x)
}

/// Whether `b` lies below the chord from `a` to `c`.
#[inline]
fn turns_up(a: Point, b: Point, c: Point) -> bool {
    (b.y - a.y) * (c.x - a.x) < (c.y - a.y) * (b.x - a.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: i32, y: i32) -> Point {
        Point {
            x: f64::from(x),
            y: f64::from(y),
        }
    }

    /// Pseudo-random numbers: xorshift.
    fn random(state: &mut u64) -> i32 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        i32::try_from(*state % 1000).unwrap()
    }

    #[test]
    fn the_hull_of_a_stream_is_that_of_the_list_in_any_order() {
        let mut state = 88_172_645_463_325_252;
        for round in 0..300 {
            let points: Vec<Point> = (0..=round % 60)
                .map(|i| {
                    let x = if round % 2 == 0 {
                        i
                    } else {
                        random(&mut state)
                    };
                    at(x, random(&mut state) / (1 + round % 7))
                })
                .collect();
            let mut hull = Hull::new(256);
            for point in &points {
                hull.insert(*point);
            }
            let mut expected: Vec<Point> = points.clone();
            // A vertex: no chord between two others, and no point at the same time, is below it.
            expected.retain(|p| {
                !points.iter().any(|a| (a.x - p.x).abs() < 0.5 && a.y < p.y)
                    && !points.iter().any(|a| {
                        a.x < p.x
                            && points.iter().any(|b| {
                                b.x > p.x
                                    && a.y + (b.y - a.y) / (b.x - a.x) * (p.x - a.x) <= p.y + 1e-9
                            })
                    })
            });
            expected.sort_by(|a, b| a.x.total_cmp(&b.x));
            expected.dedup();
            assert_eq!(hull.vertices(), expected, "round {round}");
            assert!(hull.slack() == 0.0);
        }
    }

    #[test]
    fn more_vertices_than_fit_are_thinned_out_and_the_loss_is_reported() {
        let mut hull = Hull::new(256);
        let parabola = |i: i32| at(i * 1000, i * i);
        (0..5000).for_each(|i| hull.insert(parabola(i)));
        assert!(hull.vertices().len() <= 256);
        let low = (0..5000)
            .map(parabola)
            .map(|point| point.y - 4.0 * point.x)
            .fold(f64::INFINITY, f64::min);
        assert!(hull.least(4.0) >= low);
        assert!(hull.least(4.0) - hull.slack() <= low);
        // Of 25,000,000.
        assert!(hull.slack() < 50_000.0, "{}", hull.slack());
    }

    #[test]
    fn a_slope_is_that_of_the_edge_over_a_time() {
        let mut hull = Hull::new(256);
        assert_eq!(hull.slope_over(0.0), None);
        hull.insert(at(0, 0));
        assert_eq!(hull.slope_over(0.0), None);
        for point in [at(10, 10), at(20, 40), at(5, 100)] {
            hull.insert(point);
        }
        for (x, expected) in [(-5.0, 1.0), (5.0, 1.0), (15.0, 3.0), (99.0, 3.0)] {
            assert_eq!(hull.slope_over(x), Some(expected), "{x}");
        }
        assert_eq!(hull.height_over(15.0), Some(25.0));
    }
}
