//! A round of storage faults: backups of every awkward size into a storage whose
//! calls fail, some given up in the middle; then reading while calls fail, and
//! from objects that were spoilt.
//!
//! What is held: what is listed as good is what was captured, and all that was
//! told to be good is listed; whatever else comes out is an error.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;

use pgkeep_format::cut::{CHUNK_AVERAGE, CHUNK_MAXIMUM, CHUNK_MINIMUM};
use pgkeep_format::records::BackupRecord;
use pgkeep_storage::Operation;
use pgkeep_testkit::{Failure, SeededRandom};
use pgkeep_types::BackupId;

use super::store::{Order, Store};

/// What a frame comes to.
const FRAME: usize = 1 << 20;

const BACKUPS: u64 = 10;
const READS: u64 = 8;
const SPOILT: u64 = 12;
const ERRORS: [io::ErrorKind; 6] = [
    io::ErrorKind::StorageFull,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::TimedOut,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::NotFound,
    io::ErrorKind::Interrupted,
];

/// What every backup that was ordered holds, and which are good.
#[derive(Default)]
struct Known {
    contents: BTreeMap<BackupId, Vec<u8>>,
    good: BTreeMap<BackupId, BackupRecord>,
}

/// One round.
pub(super) async fn round(random: SeededRandom) {
    let store = Store::new(&random).await;
    let mut known = Known::default();
    let mut calls = 30;
    for _ in 0..BACKUPS {
        let order = drawn(&random, &store, &known);
        known
            .contents
            .insert(order.id.clone(), order.content.clone());
        back_up_with_faults(&random, &store, &order, calls, &mut known).await;
        calls = one_more_works(&random, &store, &mut known).await;
    }
    all_is_known(&store, &known).await;
    read_with_faults(&random, &store, &known).await;
    read_what_was_spoilt(&random, &store, &known).await;
}

/// A backup with a size at which something begins anew, or any other.
fn drawn(random: &SeededRandom, store: &Store, known: &Known) -> Order {
    const EDGES: [usize; 7] = [
        0,
        1,
        CHUNK_MINIMUM,
        CHUNK_AVERAGE,
        CHUNK_MAXIMUM,
        FRAME,
        FRAME + CHUNK_MAXIMUM,
    ];
    let length = match random.below(3) {
        0 => below(random, 3_000_000),
        _ => {
            let edge = EDGES[below(random, EDGES.len())] * (1 + below(random, 2));
            (edge + below(random, 5)).saturating_sub(2)
        }
    };
    let mut order = store.order(random, content(random, length));
    order.piece = [1 << 10, 65_536, 100_000, 1 << 20, 5 << 20][below(random, 5)];
    order.limits.level = [1, 1, 3][below(random, 3)];
    order.limits.workers = NonZeroUsize::new(1 + below(random, 3)).unwrap();
    order.limits.pack = [1, 60_000, 600_000, 1 << 30][below(random, 4)];
    order.limits.part = [1000, 16 << 10, 128 << 10, 8 << 20][below(random, 4)];
    // The very length of a pack, and one beside it: what went before tells one.
    let packs = known.good.values().flat_map(|backup| &backup.needs);
    let packs: Vec<u64> = packs
        .flat_map(|need| need.packs.iter().map(|pack| pack.length))
        .collect();
    if let Some(last) = packs.last().filter(|_| random.below(3) == 0) {
        let length = usize::try_from(*last).unwrap();
        order.limits.part = (length + below(random, 3)).saturating_sub(1).max(1);
        order.limits.pack = *last;
    }
    order
}

/// Noise, what compresses well, and what compresses to half.
fn content(random: &SeededRandom, length: usize) -> Vec<u8> {
    let mask = [u64::MAX, 0xffff_ffff, 0x0f0f, 0][below(random, 4)];
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&(random.next() & mask).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Makes a backup while the storage fails, or gives it up in the middle.
async fn back_up_with_faults(
    random: &SeededRandom,
    store: &Store,
    order: &Order,
    calls: usize,
    known: &mut Known,
) {
    let memory = &store.memory;
    // Small ones more often: how many this backup makes is not known.
    let most = below(random, calls + 2) + 1;
    let call = below(random, most);
    let what = match random.below(4) {
        0 => {
            memory.gone_from(call);
            format!("gone from call {call} on")
        }
        1 => {
            memory.heal();
            format!("given up after call {call}")
        }
        _ => {
            let failure = failure(random, call);
            memory.fail(failure);
            format!("{failure:?}")
        }
    };
    let made = if what.starts_with("given up") {
        tokio::select! {
            made = store.back_up(order) => Some(made),
            () = calls_reach(store, call) => None,
        }
    } else {
        Some(store.back_up(order).await)
    };
    let is_commit = |(operation, object): &(Operation, String)| {
        *operation == Operation::Put && object.ends_with(&format!("{}/backup", order.id))
    };
    let tried_to_commit = memory.calls().iter().any(is_commit);

    let ended = match &made {
        Some(Ok(_)) => "complete".to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "given up".to_owned(),
    };
    let (length, calls) = (order.content.len(), memory.calls().len());
    println!("  {length} bytes, {calls} calls, {what}: {ended}");
    memory.heal();
    let listed = store.good().await.expect("a storage that works again");
    let found = listed.iter().find(|record| record.id == order.id);
    match made {
        Some(Ok(record)) => assert_eq!(found, Some(&record), "{what}"),
        // The commit was made, and what came after it failed.
        _ => assert!(found.is_none() || tried_to_commit, "{what}"),
    }
    if let Some(record) = found {
        known.good.insert(record.id.clone(), record.clone());
        let read = store.read(record).await.expect("a good backup");
        assert!(read == order.content, "{what}: wrong data came out");
    }
    assert_eq!(listed.len(), known.good.len(), "{what}");
}

fn failure(random: &SeededRandom, call: usize) -> Failure {
    Failure {
        call,
        takes_effect: random.below(2) == 0,
        error: ERRORS[below(random, ERRORS.len())],
    }
}

async fn calls_reach(store: &Store, count: usize) {
    while store.memory.calls().len() < count {
        tokio::task::yield_now().await;
    }
}

/// The next backup works; tells how many calls it took.
async fn one_more_works(random: &SeededRandom, store: &Store, known: &mut Known) -> usize {
    let order = drawn(random, store, known);
    store.memory.heal();
    let record = store.back_up(&order).await.expect("the next backup works");
    let calls = store.memory.calls().len();
    assert!(store.read(&record).await.expect("a good backup") == order.content);
    known.good.insert(record.id.clone(), record);
    known.contents.insert(order.id, order.content);
    calls
}

async fn all_is_known(store: &Store, known: &Known) {
    store.memory.heal();
    let listed = store.good().await.expect("a list");
    let listed: BTreeMap<_, _> = listed.into_iter().map(|r| (r.id.clone(), r)).collect();
    assert_eq!(listed, known.good);
    for (id, record) in &known.good {
        let read = store.read(record).await.expect("a good backup");
        assert!(read == known.contents[id], "{id}: wrong data came out");
    }
}

/// Reading while calls fail gives what was written, or an error.
async fn read_with_faults(random: &SeededRandom, store: &Store, known: &Known) {
    for _ in 0..READS {
        let record = one_of_the_good(random, known);
        store.memory.heal();
        store.read(record).await.expect("a good backup");
        let calls = store.memory.calls().len();
        let call = below(random, calls);
        if random.below(2) == 0 {
            store.memory.gone_from(call);
        } else {
            store.memory.fail(failure(random, call));
        }
        // One key record of several that cannot be had keeps nobody from reading.
        if let Ok(read) = store.read(record).await {
            let right = read == known.contents[&record.id];
            assert!(right, "call {call} of {calls}: wrong data came out");
        }
        store.memory.heal();
    }
}

/// Reading what was spoilt gives what was written, or an error.
async fn read_what_was_spoilt(random: &SeededRandom, store: &Store, known: &Known) {
    for _ in 0..SPOILT {
        let copy = store.copy();
        let mut what = Vec::new();
        for _ in 0..=random.below(3) {
            what.push(spoil(random, &copy));
        }
        let Ok(listed) = copy.good().await else {
            continue;
        };
        for record in listed {
            let read = copy.read(&record).await;
            assert!(
                read.is_err() || read.is_ok_and(|read| read == known.contents[&record.id]),
                "{what:?}: wrong data came out of {}",
                record.id
            );
        }
    }
}

/// Does something to one object, and tells what.
fn spoil(random: &SeededRandom, store: &Store) -> String {
    let names = store.memory.names();
    let name = &names[below(random, names.len())];
    let other = &names[below(random, names.len())];
    let whole = store.memory.object(name).to_vec();
    let at = below(random, whole.len().max(1));
    let (how, bytes) = match random.below(6) {
        0 | 1 if !whole.is_empty() => {
            let mut flipped = whole;
            flipped[at] ^= 1 << random.below(8);
            ("flipped", Some(flipped))
        }
        2 => ("cut off", Some(whole[..at.min(whole.len())].to_vec())),
        3 => (
            "lengthened",
            Some([whole.as_slice(), &whole[at.min(whole.len())..]].concat()),
        ),
        4 => ("gone", None),
        _ => {
            let theirs = store.memory.object(other).to_vec();
            ("replaced by another", Some(theirs))
        }
    };
    store.memory.replace(name, bytes.map(Into::into));
    format!("{name} {how} at {at}, {other}")
}

fn one_of_the_good<'a>(random: &SeededRandom, known: &'a Known) -> &'a BackupRecord {
    let at = below(random, known.good.len());
    known.good.values().nth(at).expect("a good backup")
}

fn below(random: &SeededRandom, end: usize) -> usize {
    usize::try_from(random.below(end as u64)).unwrap()
}
