//! Many names looked up at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Names are looked up by this many threads at most.
const MOST: usize = 64;
/// How often it is said how far this is.
const SAY_EVERY: Duration = Duration::from_millis(200);

/// Does the same with all of them, some at a time: names are looked up so. `say`: how many are done.
pub(super) fn in_parallel<T: Sync, R: Send>(
    all: &[T],
    each: impl Fn(&T) -> R + Sync,
    mut say: impl FnMut(usize),
) -> Vec<R> {
    let threads = all.len().min(MOST);
    if threads <= 1 {
        return all.iter().map(each).collect();
    }
    let next = AtomicUsize::new(0);
    let (results, inbox) = channel();
    let (next, each) = (&next, &each);
    let work = move |results: std::sync::mpsc::Sender<(usize, R)>| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(index) else { return };
            // The receiver outlives the threads.
            let _ = results.send((index, each(one)));
        }
    };
    let mut done = Vec::with_capacity(all.len());
    thread::scope(|scope| {
        let spawn = |_| {
            let results = results.clone();
            let work = &work;
            let thread = thread::Builder::new().spawn_scoped(scope, move || work(results));
            thread.is_ok()
        };
        if !(0..threads)
            .map(spawn)
            .fold(false, |any, is_one| any | is_one)
        {
            // Without threads it is done here.
            work(results.clone());
        }
        drop(results);
        let mut said = Instant::now();
        loop {
            match inbox.recv_timeout(SAY_EVERY) {
                Ok(one) => done.push(one),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                say(done.len());
            }
        }
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_side_by_side_and_it_is_said_how_many_are() {
        let (most, now) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut said = Vec::new();
        let all: Vec<usize> = (0..400).collect();
        let done = in_parallel(
            &all,
            |one| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(if *one == 399 { 500 } else { 5 }));
                now.fetch_sub(1, Ordering::SeqCst);
                *one
            },
            |done| said.push(done),
        );
        assert_eq!(done, all);
        let most = most.into_inner();
        assert!((2..=MOST).contains(&most), "{most}");
        assert!(
            said.last().is_some_and(|last| (1..400).contains(last)),
            "{said:?}"
        );
        assert!(said.is_sorted());
    }
}
