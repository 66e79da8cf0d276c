//! The directories of a repository, and whether this user may write in them.
//!
//! Invariants: nothing is written; what is not there is made by who first needs it.

use std::io::ErrorKind;
use std::path::Path;

use pgkeep_format::names;
use pgkeep_types::ClusterName;

use super::findings::Findings;
use crate::storage;

/// Looks at a cluster's directories below the repository's own at `root`.
pub(super) fn look(root: &Path, cluster: &ClusterName, findings: &mut Findings) {
    let written_by = [
        (format!("{cluster}/"), "pgkeep backup"),
        (names::runs(cluster), "pgkeep backup"),
        (names::backups(cluster), "pgkeep backup"),
        (names::tombstones(cluster), "pgkeep prune"),
        (names::proofs(cluster), "pgkeep prove"),
        (names::verifications(cluster), "pgkeep verify"),
        (names::pins(cluster), "pgkeep pin"),
    ];
    for (directory, command) in written_by {
        let path = root.join(directory.trim_end_matches('/'));
        let Err(error) = storage::may_write(&path) else {
            continue;
        };
        if error.kind() == ErrorKind::NotFound {
            continue;
        }
        let path = path.display();
        let says = format!("'{command}' cannot write in {path}: {error}");
        let mend = format!("give it to the user who runs {command}: chown, or chmod u+rwx {path}");
        match command {
            "pgkeep backup" => findings.problem("storage", says, &mend),
            // Others may do that, elsewhere.
            _ => findings.warning("storage", says, &mend),
        }
    }
}
