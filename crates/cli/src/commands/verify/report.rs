//! What a verification came to: for people, and for programs.
//!
//! Invariant: both say the same; whatever is hurt is named, with the backups that need it.

use pgkeep_repository::{RepositoryError, Strange};
use pgkeep_types::{ClusterName, ObjectName};
use serde::Serialize;

use super::cluster::ClusterReport;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;
use crate::words;

/// What programs are told.
#[derive(Serialize)]
pub(super) struct Report {
    version: u32,
    clusters: Vec<ClusterReport>,
    /// Records that no backup needs, and that are damaged or somebody else's.
    records: Vec<Line>,
    /// What is no object of a repository.
    foreign: Vec<Foreign>,
    /// What lies in the folders of backups, and no backup cites it.
    uncited: Vec<Uncited>,
    /// Clusters that are stored, and that nobody has named or configured.
    passed_over: Vec<PassedOver>,
    /// Outcomes of runs that are not there.
    unended: Vec<Foreign>,
    /// What kept anything from being looked at.
    errors: Vec<Failure>,
    /// Whether there was nothing to verify in one of the places.
    #[serde(skip)]
    is_empty: bool,
}

#[derive(Serialize)]
pub(super) struct Line {
    pub(super) object: ObjectName,
    pub(super) error: String,
}

#[derive(Serialize)]
struct Foreign {
    repository: String,
    object: ObjectName,
}

#[derive(Serialize)]
struct Uncited {
    repository: String,
    object: ObjectName,
    bytes: u64,
}

#[derive(Serialize)]
struct PassedOver {
    repository: String,
    cluster: ClusterName,
}

#[derive(Serialize)]
struct Failure {
    repository: String,
    error: String,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            version: JSON_VERSION,
            clusters: Vec::new(),
            records: Vec::new(),
            foreign: Vec::new(),
            uncited: Vec::new(),
            passed_over: Vec::new(),
            unended: Vec::new(),
            errors: Vec::new(),
            is_empty: false,
        }
    }
}

impl Report {
    /// Something kept a repository from being looked at as a whole.
    pub(super) fn failed(&mut self, repository: &str, error: &CliError) {
        self.errors.push(Failure {
            repository: repository.to_owned(),
            error: sentence(error),
        });
    }

    /// Takes what was found of a cluster, and tells it.
    pub(super) fn cluster(&mut self, context: &Context, mut cluster: ClusterReport) {
        cluster.tell(context);
        self.is_empty |= cluster.is_nothing();
        for record in cluster.take_bad() {
            self.record(context, record.object, record.error);
        }
        self.clusters.push(cluster);
    }

    /// There is no cluster in a repository.
    pub(super) fn nothing(&mut self, context: &Context, repository: &str) {
        self.is_empty = true;
        context.output.data(format_args!(
            "repository {repository:?}: nothing is there that could be verified\n"
        ));
    }

    /// Tells which clusters are stored and are not read.
    pub(super) fn passed_over(
        &mut self,
        context: &Context,
        repository: &str,
        clusters: impl Iterator<Item = ClusterName>,
    ) {
        for cluster in clusters {
            context.output.warning(format_args!(
                "cluster {cluster} in repository {repository:?} is not configured there, and is \
                 not read: 'pgkeep verify {cluster} --repository {repository}' reads it"
            ));
            let repository = repository.to_owned();
            self.passed_over.push(PassedOver {
                repository,
                cluster,
            });
        }
    }

    fn record(&mut self, context: &Context, object: ObjectName, error: RepositoryError) {
        let error = CliError::Repository(error);
        context.output.failure(&error);
        let error = sentence(&error);
        self.records.push(Line { object, error });
    }

    /// Takes what no backup needs, and tells it.
    pub(super) fn strange(&mut self, context: &Context, repository: &str, strange: Strange) {
        for (object, error) in strange.records {
            self.record(context, object, error);
        }
        for (object, bytes) in strange.uncited {
            context.output.warning(format_args!(
                "{object} ({}) in repository {repository:?} is cited by no backup, and nothing \
                 reads it",
                words::size(bytes)
            ));
            let repository = repository.to_owned();
            self.uncited.push(Uncited {
                repository,
                object,
                bytes,
            });
        }
        for object in strange.unended {
            context.output.warning(format_args!(
                "{object} in repository {repository:?} is not there: its run was cut off, or the \
                 storage has lost it"
            ));
            let repository = repository.to_owned();
            self.unended.push(Foreign { repository, object });
        }
        for object in strange.foreign {
            context.output.warning(format_args!(
                "{object} in repository {repository:?} is no object of a repository, and is not \
                 looked at"
            ));
            let repository = repository.to_owned();
            self.foreign.push(Foreign { repository, object });
        }
    }

    /// Tells last what is not well beside the objects of backups.
    pub(super) fn tell_the_rest(&self, context: &Context) {
        let of_repositories = self.errors.iter().map(|failure| {
            let Failure { repository, error } = failure;
            format!("repository {repository:?}: not all is well: {error}")
        });
        let of_records = self.records.iter().map(|line| {
            let Line { object, error } = line;
            format!("{object}: not all is well: {error}")
        });
        for told in of_records.chain(of_repositories) {
            let told = words::printable(&told);
            let told = context.output.folded(&told, 2);
            context.output.data(format_args!("{told}\n"));
        }
    }

    /// How the program ends: well only where nothing is hurt, and something was there.
    pub(super) fn exit(&self) -> Exit {
        let is_whole = self.clusters.iter().all(ClusterReport::is_whole);
        match is_whole && self.records.is_empty() && self.errors.is_empty() {
            true if self.is_empty => Exit::NothingFound,
            true => Exit::Done,
            false => Exit::Failed,
        }
    }
}
