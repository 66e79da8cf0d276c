//! What a restore says of clocks that disagree, where nothing is refused for it.

use pgkeep_repository::{Catalogue, Contested};
use pgkeep_types::Timestamp;

use crate::context::Context;
use crate::words;

/// Says where it is open which backup was the newest at some time, since a host's clock
/// and the storage's disagree.
pub(super) fn warn_of_contested(
    context: &Context,
    catalogue: &Catalogue,
    database: &str,
    before: Timestamp,
) {
    for Contested { backup, stored } in catalogue.contested(database, before) {
        let (id, finished) = (backup.id.short(), words::time(backup.finished));
        let host = catalogue.host(&backup.id).unwrap_or("unknown");
        let (says, may) = match backup.finished < stored {
            true => ("only", "may be of after"),
            false => ("already", "may be the newest of before"),
        };
        let (stored, before) = (words::time(stored), words::time(before));
        context.output.warning(format_args!(
            "by the clock of host {host} backup {id} was finished at {finished}, and the storage \
             has it {says} since {stored}: it {may} {before}. One of these clocks was wrong, or the \
             repository was copied; --backup ID takes the backup that you mean"
        ));
    }
}
