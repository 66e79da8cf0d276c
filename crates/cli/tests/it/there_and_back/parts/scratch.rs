//! Scratch space that is too small, or fills up: what it is for, how much that takes, and
//! the way out are told, and nothing is left.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{PROGRAM, Site, ended, until};

const RESTORE: &str = "restore --database app --as new --jobs 2 --scratch scratch \
     --identity recovery.key";
const WAY_OUT: [&str; 2] = ["--scratch DIR", "--jobs 1, which needs none"];

/// A backup of some 7 MiB of noise, of whose owner the cluster knows nothing any more.
async fn source() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let owned = "CREATE ROLE boss; CREATE DATABASE app OWNER boss";
    cluster.psql("postgres", owned).await;
    let noise = "CREATE TABLE noise AS SELECT md5(random()::text) || md5(random()::text) AS x \
                 FROM generate_series(1, 100000)";
    cluster.psql("app", noise).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let disown = "ALTER DATABASE app OWNER TO postgres; DROP ROLE boss";
    cluster.psql("postgres", disown).await;
    std::fs::create_dir(site.path("scratch")).unwrap();
    (cluster, site)
}

async fn nothing_was_made(cluster: &Cluster, site: &Site) {
    let databases = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database";
    let databases = cluster.psql("postgres", databases).await;
    assert_eq!(databases.trim(), "app postgres template0 template1");
    assert_eq!(std::fs::read_dir(site.path("scratch")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_small_a_scratch_space_is_told_before_anything_is_made() {
    let (cluster, site) = source().await;
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs scratch; exec '{PROGRAM}' {RESTORE} --create-roles"
    );
    let ran = ended(site.start_with_own_mounts(&script)).await.ended(1);
    let free = format!(
        "the scratch space in {} has 1.0 MiB free, and the archive takes 6.",
        site.path("scratch").display()
    );
    ran.says(&[&free]).says(&WAY_OUT);
    let boss = "SELECT count(*) FROM pg_roles WHERE rolname = 'boss'";
    assert_eq!(cluster.psql("postgres", boss).await, "0\n");
    nothing_was_made(&cluster, &site).await;
    cluster.stop().await;
}

/// Between the look beforehand and the writing a role is made, which waits for a lock:
/// meanwhile somebody else takes the room.
#[tokio::test(flavor = "multi_thread")]
async fn scratch_space_that_fills_up_is_told_with_what_it_was_to_hold() {
    let (cluster, site) = source().await;
    let script = format!(
        "mount -t tmpfs -o size=16m tmpfs scratch; '{PROGRAM}' {RESTORE} --create-roles & \
         for tick in $(seq 1200); do [ -e fill ] && break; sleep 0.05; done; \
         head -c 15M /dev/zero > scratch/other; mv fill filled; wait $!"
    );
    let holder = cluster.connect("postgres").await;
    let lock = "BEGIN; LOCK TABLE pg_catalog.pg_authid IN EXCLUSIVE MODE";
    holder.batch(lock).await.unwrap();
    let running = site.start_with_own_mounts(&script);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND query LIKE 'CREATE ROLE%'";
    until("a session that makes the role", async || {
        cluster.psql("postgres", waiting).await.trim() == "1"
    })
    .await;
    std::fs::write(site.path("fill"), "").unwrap();
    until("a full disk", async || site.path("filled").exists()).await;
    holder.batch("ROLLBACK").await.unwrap();
    let ran = ended(running).await.ended(1);
    let directory = format!(
        "cannot use {} as scratch space, in which the archive takes 6.",
        site.path("scratch").display()
    );
    ran.says(&[&directory, "No space left on device"])
        .says(&WAY_OUT);
    nothing_was_made(&cluster, &site).await;
    cluster.stop().await;
}
