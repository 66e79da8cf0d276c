//! Copies beside deletions: what a copy relies on, and what is known of a backup that was
//! copied and deleted.

use jiff::SignedDuration;
use pgkeep_format::cut::Cutting;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::deletion::PlanError;
use pgkeep_repository::{CopyPlan, RepositoryError, RunPlan};
use pgkeep_types::{BackupId, Clock, RunId};

use crate::deletion::{pins, prune, tombstone};
use crate::family::Family;
use crate::world::{content, main};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A backup in the first repository that needs packs of the one that is there.
async fn backup_on_the_first(family: &Family) -> BackupRecord {
    family.source.clock.advance(HOUR);
    let file = |path: &str, content: Vec<u8>| (path.to_owned(), Cutting::Content, content.into());
    let files = [
        file("dump", family.bytes.clone()),
        file("more", content(150_000, 2)),
    ];
    let made = family.source.back_up_tree(&files, Some(&family.record));
    let made = made.await.unwrap();
    let of_the_first = &family.record.id;
    assert!(made.needs.iter().any(|need| need.backup == *of_the_first));
    made
}

/// Puts the packs of a backup into the second repository, as a copy does that is killed then.
fn put_packs(family: &Family, id: &BackupId) {
    let folder = format!("main/backups/{id}/");
    for name in family.source.memory.names() {
        let of_it = name.as_str().strip_prefix(&folder);
        if of_it.is_some_and(|name| name.starts_with("packs/") || name.starts_with("index/")) {
            let object = family.source.memory.object(&name);
            family.target.memory.replace(&name, Some(object));
        }
    }
}

/// A copy of all that is planned that comes to nothing.
async fn fail_to_copy(family: &Family, plan: &CopyPlan) {
    let target = family.target.open().await.unwrap();
    let from = family.source.open().await.unwrap();
    let access = target.write_access(&family.second).unwrap();
    let run = RunPlan {
        id: RunId::new(&family.target.clock, &family.target.random),
        ..family.target.plan(None)
    };
    let mut run = target.begin_copy(&access, &from, run, plan).await.unwrap();
    for planned in &plan.backups {
        run.give_up(planned, &RepositoryError::GivenUp);
    }
    run.finish(family.target.clock.now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_packs_of_another_backup_of_its_run_fails_where_that_one_was_deleted() {
    let family = Family::new().await;
    let on_it = backup_on_the_first(&family).await;
    let target = family.target.open().await.unwrap();
    put_packs(&family, &family.record.id);
    let plan = family.plan(&target).await.unwrap();
    let planned = plan.backups.iter().map(|planned| &planned.record.id);
    assert!(planned.eq([&family.record.id, &on_it.id]), "{plan:?}");
    // Somebody deletes it, and its packs are there still.
    let (name, bytes) = tombstone(&family.target, &family.record.id);
    family.target.memory.replace(&name, Some(bytes));
    let copied = family.copy(&target, &family.target.host, &plan).await;
    let error = copied.unwrap_err().to_string();
    let told = format!("backup {} was deleted meanwhile", family.record.id);
    assert!(
        error.contains(&on_it.id.to_string()) && error.contains(&told),
        "{error}"
    );
    let record = names::backup(&main(), &on_it.id, BackupPart::Backup).unwrap();
    assert!(!family.target.memory.names().contains(&record));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lost_its_record_stops_a_prune_though_a_later_copy_of_it_has_failed() {
    let family = Family::new().await;
    let on_it = backup_on_the_first(&family).await;
    let target = family.target.open().await.unwrap();
    let plan = family.plan(&target).await.unwrap();
    let first = &family.target.host;
    family.copy(&target, first, &plan).await.unwrap();
    family.target.clock.advance(HOUR);
    let later = family.copy(&target, &family.second, &plan).await;
    assert!(later.is_err(), "{later:?}");
    prune(&family.target, &[&family.record.id]).await.unwrap();
    let record = names::backup(&main(), &on_it.id, BackupPart::Backup).unwrap();
    family.target.memory.replace(&record, None);
    let before = family.target.memory.names();
    let refused = prune(&family.target, &[]).await.unwrap_err();
    let told = format!("{refused:?}");
    let RepositoryError::NotDeleted { source, .. } = refused else {
        panic!("{told}");
    };
    assert!(
        matches!(&source, PlanError::Missing { backup, .. } if *backup == on_it.id),
        "{source:?}"
    );
    assert_eq!(family.target.memory.names(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_deleted_is_told_as_that_whichever_copy_of_it_has_failed() {
    for (failed_first, is_copied) in [(true, true), (false, true), (true, false)] {
        let family = Family::new().await;
        let target = family.target.open().await.unwrap();
        let plan = family.plan(&target).await.unwrap();
        if failed_first {
            fail_to_copy(&family, &plan).await;
            family.target.clock.advance(HOUR);
        }
        if is_copied {
            let host = &family.target.host;
            family.copy(&target, host, &plan).await.unwrap();
        }
        if !failed_first {
            family.target.clock.advance(HOUR);
            fail_to_copy(&family, &plan).await;
        }
        prune(&family.target, &[&family.record.id]).await.unwrap();
        let catalogue = family.target.catalogue().await;
        let deleted: Vec<_> = catalogue.deleted.iter().map(|d| &d.id).collect();
        assert_eq!(deleted, [&family.record.id]);
        assert!(catalogue.entries.is_empty(), "{catalogue:?}");
        let plan = family.plan(&target).await.unwrap();
        assert!(plan.backups.is_empty(), "{plan:?}");
        assert!(plan.left.iter().all(|left| left.is_settled), "{plan:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_rests_on_a_backup_that_goes_once_its_pin_has_ended() {
    let family = Family::new().await;
    let target = family.target.open().await.unwrap();
    let plan = family.plan(&target).await.unwrap();
    let host = &family.target.host;
    family.copy(&target, host, &plan).await.unwrap();
    let on_it = backup_on_the_first(&family).await;
    pins::pin(&family.target, &family.record.id, None).await;
    let (name, bytes) = tombstone(&family.target, &family.record.id);
    family.target.memory.replace(&name, Some(bytes));
    let plan = family.plan(&target).await.unwrap();
    assert!(plan.backups.is_empty(), "{plan:?}");
    let left: Vec<_> = plan.left.iter().map(|left| &left.id).collect();
    assert_eq!(left, [&on_it.id]);
    let here = family.target.catalogue().await;
    assert!(here.chosen(&family.record.id).is_some());
    let there = family.source.catalogue().await;
    let no_parents = here.no_parents(&there).unwrap();
    assert!(
        no_parents.contains(&family.record.id) && no_parents.contains(&on_it.id),
        "{no_parents:?}"
    );
}
