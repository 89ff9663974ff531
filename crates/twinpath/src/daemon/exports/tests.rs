//! The directory of batches, and threads without a server.

use std::fs;

use super::spool::{BatchId, Spool};

fn write(spool: &Spool, rows: u64, octets: usize) -> u64 {
    let (batch, dropped) = spool
        .write(spool.new_id(), rows, &vec![b'x'; octets])
        .unwrap();
    spool.release(batch);
    dropped
}

#[test]
fn beyond_the_bound_the_oldest_batches_go_and_their_rows_are_counted() {
    let place = tempfile::tempdir().unwrap();
    let spool = Spool::open(place.path(), "webhook", 100).unwrap();
    assert_eq!(write(&spool, 1, 40), 0);
    assert_eq!(write(&spool, 2, 40), 0);
    // Two have to go for a large one.
    assert_eq!(write(&spool, 3, 90), 1 + 2);
    assert_eq!((spool.waiting().rows, spool.waiting().octets), (3, 90));
    // One that is being sent stays, whatever comes.
    let sending = spool.next(|_| false).unwrap();
    assert_eq!(write(&spool, 4, 50), 0);
    assert_eq!(write(&spool, 5, 50), 4);
    spool.remove(&sending).unwrap();
    let last = spool.next(|_| false).unwrap();
    assert_eq!(last.rows, 5);
    spool.failed();
    // A bound of less than a batch has the latest.
    assert_eq!(write(&spool, 6, 1_000), 5);
    assert_eq!(spool.waiting().rows, 6);
}

#[test]
fn the_next_process_has_the_same_batches_in_their_order() {
    let place = tempfile::tempdir().unwrap();
    let spool = Spool::open(place.path(), "webhook", 1 << 20).unwrap();
    for rows in 1..=12 {
        write(&spool, rows, 10);
    }
    let first = spool.next(|_| false).unwrap();
    // What was not finished is no batch, and other files are not ours.
    fs::write(place.path().join("half.new"), "x").unwrap();
    fs::write(place.path().join("readme"), "x").unwrap();
    assert!(Spool::open(place.path(), "webhook", 1 << 20).is_err());
    drop(spool);
    let spool = Spool::open(place.path(), "webhook", 1 << 20).unwrap();
    assert!(!place.path().join("half.new").exists() && place.path().join("readme").exists());
    assert_eq!(spool.waiting().rows, (1..=12).sum::<u64>());
    for rows in 1..=12 {
        let batch = spool.next(|_| false).unwrap();
        assert_eq!(batch.rows, rows);
        if rows == 1 {
            assert_eq!(batch, first);
        }
        spool.remove(&batch).unwrap();
    }
    assert!(spool.next(|is_empty| is_empty).is_none());
    assert!(spool.new_id().number > first.id.number);
}

#[test]
fn what_is_refused_is_put_aside_and_only_the_latest_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let spool = Spool::open(place.path(), "exec", 1 << 20).unwrap();
    for rows in 1..=9 {
        write(&spool, rows, 10);
        let batch = spool.next(|_| false).unwrap();
        spool.put_aside(&batch).unwrap();
    }
    assert_eq!(spool.waiting(), super::spool::Waiting::default());
    let aside = fs::read_dir(place.path().join("refused")).unwrap();
    let mut rows: Vec<String> = aside
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .map(|name| name.rsplit('-').next().unwrap().to_owned())
        .collect();
    rows.sort();
    assert_eq!(rows, ["6.exec", "7.exec", "8.exec", "9.exec"]);
    drop(spool);
    let spool = Spool::open(place.path(), "exec", 1 << 20).unwrap();
    assert!(spool.next(|is_empty| is_empty).is_none());
}

#[test]
fn a_batch_has_the_id_that_it_was_begun_with() {
    let place = tempfile::tempdir().unwrap();
    let spool = Spool::open(place.path(), "exec", 1 << 20).unwrap();
    let id = spool.new_id();
    assert!(!spool.has(&id));
    let (batch, _) = spool.write(id.clone(), 1, b"x").unwrap();
    // Not before it is released, though it is in a file.
    assert!(spool.next(|is_empty| is_empty).is_none());
    spool.release(batch);
    assert!(spool.has(&id));
    let other = BatchId {
        id: "f".repeat(32),
        ..id
    };
    assert!(!spool.has(&other));
}
