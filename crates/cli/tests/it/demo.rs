//! The demo's whole story, as `make demo` tells it.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::Major;

use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_holds_on_every_major_and_leaves_nothing_behind() {
    for major in Major::ALL {
        let mut site = Site::empty();
        site.set("PGKEEP_POSTGRES_BIN", major.programs());
        let stage = site.path("stage");
        std::fs::create_dir(&stage).unwrap();
        // Passable, so that the server's own account gets through.
        std::fs::set_permissions(&stage, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::set_permissions(site.home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        site.set("TMPDIR", &stage);
        let ran = site.run(&["demo"]).await.ended(0);
        assert!(
            ran.stdout
                .contains(&format!("PostgreSQL {}", major.number())),
            "{ran:?}"
        );
        for told in [
            "DROP DATABASE shop",
            "It held",
            "equal",
            "1 of 1 right",
            "exit code 1, and the object is named",
        ] {
            assert!(ran.stdout.contains(told), "{told:?} is not in {ran:?}");
        }
        let left: Vec<_> = std::fs::read_dir(&stage).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
