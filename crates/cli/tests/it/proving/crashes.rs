//! Throwaway servers that are killed, and provers that are.

use std::path::PathBuf;

use super::{FILL, Proving, arguments};
use crate::keeping::shelf::{APP, Shelf};
use crate::kills::{children, signal};
use crate::site::{PROGRAM, ended, until};

const SLOW: &str =
    "[{ database = 'app', sql = 'select pg_sleep(100) is not null', timeout = '2min' }]";

impl Proving {
    /// The process of the throwaway server that is asked just now.
    pub(super) async fn postmaster(&self) -> u32 {
        let found = || {
            let file = self.below_scratch("postmaster.pid")?;
            let text = std::fs::read_to_string(file).ok()?;
            text.lines().next()?.parse::<u32>().ok()
        };
        let asks = |pid: &u32| self.asked(*pid).is_some();
        until("a question", async || found().filter(asks).is_some()).await;
        found().unwrap()
    }

    /// The process of a server that answers a question.
    fn asked(&self, postmaster: u32) -> Option<u32> {
        let title = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).into_owned()
        };
        let mut all = children(postmaster).into_iter();
        all.find(|pid| title(pid).contains("pgkeep_asks_"))
    }

    fn below_scratch(&self, name: &str) -> Option<PathBuf> {
        let mut waiting = vec![self.site.path("scratch")];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).ok()?.flatten() {
                match entry.path() {
                    path if path.ends_with(name) => return Some(path),
                    path if path.is_dir() => waiting.push(path),
                    _ => {}
                }
            }
        }
        None
    }
}

async fn prepared() -> Proving {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.asking(SLOW);
    proving
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throwaway_server_that_is_killed_proves_nothing() {
    let proving = prepared().await;
    let before = proving.connections();
    let running = proving.site.start(&arguments(&[]));
    signal("-KILL", proving.postmaster().await);
    let proved = proving.check(before, ended(running).await);
    let words = "the throwaway server has ended, and nobody told it to";
    proved.came_to(3, "not-provable", &[words]);
    assert_eq!(proving.levels().await, ["stored"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throwaway_server_that_loses_a_process_proves_nothing() {
    let proving = prepared().await;
    let before = proving.connections();
    let running = proving.site.start(&arguments(&[]));
    let postmaster = proving.postmaster().await;
    signal("-KILL", proving.asked(postmaster).unwrap());
    let proved = proving.check(before, ended(running).await);
    let words = "the throwaway server lost a process that was killed";
    proved.came_to(3, "not-provable", &[words]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_interrupted_leaves_nothing_and_is_no_proof() {
    let proving = prepared().await;
    let before = proving.connections();
    let running = proving.site.start(&arguments(&[]));
    proving.postmaster().await;
    signal("-INT", running.id().unwrap());
    let proved = proving.check(before, ended(running).await);
    proved.came_to(130, "not-provable", &["broken off: somebody asked to stop"]);
    proved.ran.says(&["the proof of backup", "was interrupted"]);
    assert_eq!(proving.levels().await, ["stored"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_proof_has_left_and_cannot_be_removed_is_told_each_time() {
    let shelf = Shelf::new("").await;
    shelf.dump(APP, "2026-11-20T03:00:00Z").await;
    // Nobody can remove what something is mounted on.
    let script = format!(
        "mkdir -p scratch/pgkeep-prove-left/pgdata
        printf 'pgkeep throwaway workspace 1\\nprocess 999999999 started 0\\n' \
        >scratch/pgkeep-prove-left/marker
        mount -t tmpfs tmpfs scratch/pgkeep-prove-left/pgdata
        for time in first second; do {PROGRAM} prove --scratch scratch --no-record \
        --identity recovery.key || :; done"
    );
    let ran = ended(shelf.site.start_with_own_mounts(&script)).await;
    let told = "pgkeep-prove-left could not be removed, and may have a database in the clear: ";
    assert_eq!(ran.stderr.matches(told).count(), 2, "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_proof_has_left_is_removed_by_the_next_one_and_nothing_else_is() {
    let proving = prepared().await;
    // What it has left is found behind a link, too, also where the server is not isolated.
    let (scratch, real) = (proving.site.path("scratch"), proving.site.path("real"));
    std::fs::rename(&scratch, &real).unwrap();
    std::os::unix::fs::symlink(&real, &scratch).unwrap();
    for how in [&[][..], &["--not-isolated"]] {
        proving.asking(SLOW);
        let mut running = proving.site.start(&arguments(how));
        let postmaster = proving.postmaster().await;
        signal("-KILL", running.id().unwrap());
        running.wait().await.unwrap();
        assert!(proving.below_scratch("postmaster.pid").is_some());
        // Somebody else's, by its name alone.
        let foreign = proving.site.path("scratch/pgkeep-prove-foreign");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("marker"), "mine\n").unwrap();

        proving.asking("[{ database = 'app', sql = 'select true' }]");
        let ran = proving.site.run(&arguments(how)).await.ended(0);
        ran.says(&["removed what an earlier proof has left in"]);
        // Nobody may have waited for it: then its number is still there, and nothing else of
        // it.
        let line = std::fs::read(format!("/proc/{postmaster}/cmdline"));
        assert!(line.unwrap_or_default().is_empty());
        assert!(proving.below_scratch("postmaster.pid").is_none());
        std::fs::remove_dir_all(foreign).unwrap();
        proving.check_clean();
    }
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proofs_at_once_leave_each_other_alone() {
    let proving = prepared().await;
    let running = proving.site.start(&arguments(&[]));
    proving.postmaster().await;
    proving.asking("[{ database = 'app', sql = 'select true' }]");
    proving.site.run(&arguments(&[])).await.ended(0);
    assert!(proving.below_scratch("postmaster.pid").is_some());
    signal("-INT", running.id().unwrap());
    ended(running).await.ended(130);
    proving.check_clean();
    proving.cluster.stop().await;
}
