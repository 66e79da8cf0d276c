//! A bucket at 20 ms, filled and emptied, beside raw transfers: on a line of 1 Gbit/s,
//! where the line is what takes time, and on one without a bound, where the processor is,
//! which this program, the proxy and the server share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgkeep_storage::Storage;
use pgkeep_testkit::proxy::{FaultProxy, Weather};
use pgkeep_testkit::s3::S3s;
use pgkeep_testkit::{Counting, SeededRandom};
use pgkeep_types::{ObjectName, Random};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::clock::time;
use crate::site::Site;
use crate::table::{self, Row};

const LATENCY: Duration = Duration::from_millis(20);
/// Bytes a second of a line of 1 Gbit/s.
const GIGABIT: u64 = 125_000_000;
const PART: usize = 8 << 20;
/// As many downloads at once as make raw ones quickest.
const AT_ONCE: usize = 16;

/// Measures it.
pub(crate) fn measure(runtime: &Runtime, arguments: &Arguments) {
    measure_over(runtime, arguments, Some(GIGABIT), "on a line of 1 Gbit/s");
    measure_over(runtime, arguments, None, "on a line without a bound");
}

fn measure_over(
    runtime: &Runtime,
    arguments: &Arguments,
    bytes_per_second: Option<u64>,
    line: &str,
) {
    let server = S3s::start();
    let weather = Weather {
        latency: LATENCY,
        bytes_per_second,
    };
    let proxy = FaultProxy::start(&server.access().endpoint, weather);
    let access = server.access().through(proxy.endpoint());
    // What does not compress: so the transfer is what takes time.
    let length = usize::try_from(arguments.bucket_megabytes * 1_000_000).expect("it fits");
    let mut bytes = vec![0; length];
    SeededRandom::new(3).fill(&mut bytes);
    let bytes = Bytes::from(bytes);

    let mut up = [
        Row::new("raw upload, parts side by side", None),
        Row::new("backup, not encrypted", Some(1.3)),
        Row::new("backup, encrypted", Some(1.3)),
    ];
    let mut down = [
        Row::new("raw download, ranges side by side", None),
        Row::new("restore, not encrypted", Some(1.3)),
        Row::new("restore, encrypted", Some(1.3)),
    ];
    for round in 0..arguments.rounds {
        let raw: Arc<dyn Storage> = access.storage(&format!("raw{round}"));
        let object: ObjectName = "object".parse().expect("a name");
        up[0]
            .costs
            .push(time(|| runtime.block_on(upload(&raw, &object, &bytes))).0);
        down[0]
            .costs
            .push(time(|| runtime.block_on(download(&raw, &object, &bytes))).0);
        runtime.block_on(raw.delete(&object)).expect("deleted");
        for (row, sealed) in [(1, false), (2, true)] {
            let storage = access.storage(&format!("r{round}{row}"));
            let counting = Counting::new(storage);
            let site = runtime.block_on(Site::new(Arc::new(counting.clone()), sealed));
            counting.take();
            let (cost, record) = time(|| runtime.block_on(site.store_stream(&bytes)));
            let counts = counting.take();
            up[row].costs.push(cost);
            up[row].bytes = Some(counts.bytes_written);
            up[row].requests = Some(counts.requests());
            let (cost, read) = time(|| {
                let mut read = 0;
                let take = |_: &str, piece: &[u8]| {
                    assert!(bytes[read..read + piece.len()] == *piece);
                    read += piece.len();
                };
                runtime.block_on(site.read(&record, &["dump"], take));
                read
            });
            assert_eq!(read, bytes.len());
            let counts = counting.take();
            down[row].costs.push(cost);
            down[row].bytes = Some(counts.bytes_read);
            down[row].requests = Some(counts.requests());
        }
    }
    table::print(&format!("into a bucket at 20 ms, {line}"), &up);
    table::print(&format!("out of a bucket at 20 ms, {line}"), &down);
}

async fn upload(storage: &Arc<dyn Storage>, object: &ObjectName, bytes: &Bytes) {
    let mut upload = storage.upload(object).await.expect("begun");
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(PART));
        upload.part(part).await.expect("a part");
    }
    upload.finish().await.expect("finished");
}

/// Every range is found right, as what is restored is.
async fn download(storage: &Arc<dyn Storage>, object: &ObjectName, bytes: &Bytes) {
    let part = PART / 2;
    let mut reading = JoinSet::new();
    for start in (0..bytes.len()).step_by(part) {
        if reading.len() >= AT_ONCE {
            reading.join_next().await.expect("one").expect("read");
        }
        let (storage, object) = (Arc::clone(storage), object.clone());
        let expected = bytes.slice(start..(start + part).min(bytes.len()));
        reading.spawn(async move {
            let range = start as u64..(start + expected.len()) as u64;
            let read = storage.get(&object, Some(range)).await.expect("bytes");
            assert!(read == expected);
        });
    }
    while let Some(read) = reading.join_next().await {
        read.expect("read");
    }
}
