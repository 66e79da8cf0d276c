//! What a verification writes down while it goes on.
//!
//! Invariants: what was written down stays, however the verification ends; a kill loses no
//! more than a third of the time that it took, nor more than ten minutes.

use std::time::Duration;

use pgkeep_format::records::{Finding, FindingId, Verification};
use pgkeep_repository::{Needed, RepositoryError};
use pgkeep_types::VerificationId;
use tokio::time::Instant;

use super::Verify;
use crate::whole::Whole;

/// After so long the first note is written; the next ones later and later.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_mins(10);
/// A record has so many objects at most: 350 bytes each fit its kind.
const MOST: usize = 10_000;

/// What was found and not written down yet.
pub(super) struct Notes {
    round: u64,
    whole: Whole,
    findings: Vec<Finding>,
    mended: Vec<FindingId>,
    objects: usize,
    pause: Duration,
    due: Instant,
    /// Why nothing is written down, where that failed.
    pub(super) failed: Option<RepositoryError>,
}

impl Notes {
    pub(super) fn new(round: u64) -> Self {
        Self {
            round,
            whole: Whole::default(),
            findings: Vec::new(),
            mended: Vec::new(),
            objects: 0,
            pause: FIRST,
            due: Instant::now() + FIRST,
            failed: None,
        }
    }

    /// The object was read, and is whole.
    pub(super) fn whole(&mut self, object: &Needed) {
        self.objects += usize::from(self.whole.add(object));
    }

    pub(super) fn mended(&mut self, findings: Vec<FindingId>) {
        self.objects += findings.len();
        self.mended.extend(findings);
    }

    /// The object was read, and is hurt; this takes the place of the findings that were known.
    pub(super) fn hurt(&mut self, finding: Finding, known: Vec<FindingId>) {
        self.findings.push(finding);
        self.objects += 1;
        self.mended(known);
    }

    /// When what there is will be written down.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Whether there is anything to be written down.
    pub(super) fn has_some(&self) -> bool {
        self.objects > 0
    }

    /// Writes down what there is, where it is time; `ended` says that all was read.
    pub(super) async fn write(&mut self, of: &Verify<'_>, ended: Option<bool>) {
        let now = Instant::now();
        if ended.is_none() && now < self.due && self.objects < MOST {
            return;
        }
        if let (Some(access), None) = (of.access, &self.failed)
            && (self.objects > 0 || ended == Some(true))
        {
            let unread = of.catalogue.read_back().unread_until();
            let record = Verification {
                // What cannot be read must not stay the last that was said.
                id: VerificationId::after(unread, of.clock, of.random),
                cluster: of.catalogue.cluster.clone(),
                written: of.clock.now(),
                host: access.host().to_owned(),
                pgkeep: of.pgkeep.to_owned(),
                round: self.round,
                ended: ended == Some(true),
                whole: self.whole.take(),
                findings: std::mem::take(&mut self.findings),
                mended: std::mem::take(&mut self.mended),
            };
            self.failed = of.repository.write_verification(access, record).await.err();
        }
        self.objects = 0;
        self.pause = (self.pause * 3 / 2).min(LAST);
        self.due = Instant::now() + self.pause;
    }
}
