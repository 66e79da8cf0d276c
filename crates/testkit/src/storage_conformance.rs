//! The rules that every storage keeps, as one suite.
//!
//! Invariant: a storage's test is a call of [`check_contract`]; a rule is never
//! tested for one storage only. What a storage does not promise is said in
//! [`Promises`], and then it is not relied on by any rule.

mod deleting;
mod foreign;
mod listing;
mod reading;
mod uploading;
mod writing;

use bytes::Bytes;
use pgkeep_storage::Storage;
use pgkeep_types::ObjectName;

pub use foreign::{FOREIGN_FILES, FOREIGN_KEYS, check_foreign};

/// What the contract leaves to the storage.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// A second `put` to a name is refused.
    pub create_only: bool,
    /// Of two `put`s to a name at the same moment one is refused.
    pub create_only_at_once: bool,
    /// Finishing an upload to a name that exists is refused.
    pub create_only_finish: bool,
    /// How long a name may be, in bytes.
    pub longest_name: usize,
    /// How large the parts of a large upload are; each has at least as much as
    /// the storage asks for.
    pub part: usize,
    /// How many objects a listing's page has, where it is worth the time to write
    /// more than that.
    pub page: Option<usize>,
}

impl Default for Promises {
    /// Everything; small parts and no second page.
    fn default() -> Self {
        Self {
            create_only: true,
            create_only_at_once: true,
            create_only_finish: true,
            longest_name: ObjectName::LIMIT,
            part: 1000,
            page: None,
        }
    }
}

impl Promises {
    /// What the servers of S3 keep that the tests have: they look whether a name
    /// is free, and then write.
    #[must_use]
    pub fn of_s3() -> Self {
        Self {
            create_only_at_once: false,
            part: 5 << 20,
            page: Some(1000),
            ..Self::default()
        }
    }

    /// What the double keeps that ignores every condition.
    #[must_use]
    pub fn of_careless() -> Self {
        Self {
            create_only: false,
            create_only_finish: false,
            ..Self::of_s3()
        }
    }

    /// What s3s-fs keeps.
    #[must_use]
    pub fn of_s3s() -> Self {
        Self {
            // It makes names of files from names of objects.
            longest_name: 120,
            ..Self::of_s3()
        }
    }
}

fn name(text: &str) -> ObjectName {
    text.parse().expect("a plain name")
}

/// Bytes that differ from place to place, so that parts in a wrong order show.
fn pattern(length: usize, seed: u8) -> Bytes {
    let byte = |at: usize| {
        let block = (at >> 10).to_le_bytes();
        block[0] ^ block[1].rotate_left(3) ^ at.to_le_bytes()[0] ^ seed
    };
    (0..length).map(byte).collect()
}

/// Checks every rule of the contract on an empty storage that promises all.
///
/// # Panics
/// Where a rule is broken; the message says which.
pub async fn check_contract(storage: &dyn Storage) {
    check_contract_with(storage, Promises::default()).await;
}

/// Checks every rule of the contract on an empty storage.
///
/// # Panics
/// Where a rule is broken; the message says which.
pub async fn check_contract_with(storage: &dyn Storage, promises: Promises) {
    reading::an_object_reads_back_whole_and_in_ranges(storage).await;
    reading::what_is_not_there_is_not_found(storage).await;
    if promises.create_only {
        writing::a_name_is_written_once(storage).await;
    }
    if promises.create_only_at_once {
        writing::of_two_that_write_a_name_at_once_one_is_refused(storage).await;
    }
    writing::every_name_is_kept_apart(storage, promises.longest_name).await;
    writing::the_storages_clock_goes_forward(storage).await;
    uploading::an_upload_appears_when_it_is_finished(storage).await;
    if promises.create_only_finish {
        uploading::a_finished_upload_does_not_replace(storage, promises.part).await;
    }
    uploading::parts_come_out_in_order(storage, promises.part).await;
    uploading::uploads_to_different_names_do_not_mix(storage, promises.part).await;
    uploading::an_upload_that_is_given_up_leaves_nothing(storage, promises.part).await;
    listing::a_listing_names_each_object_once(storage).await;
    listing::what_is_written_is_listed_at_once(storage).await;
    if let Some(page) = promises.page {
        listing::a_listing_goes_on_after_its_first_page(storage, page).await;
    }
    deleting::what_is_deleted_is_gone(storage).await;
    deleting::deleting_one_leaves_its_neighbours(storage).await;
}
