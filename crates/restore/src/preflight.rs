//! What a backup needs, held against what the server has.
//!
//! Invariant: looking changes nothing, and everything that is missing is found at
//! once.

mod rights;
mod tablespaces;

use std::collections::BTreeSet;

use pgkeep_postgres::client::{
    self, Attached, DatabaseFacts, LocaleProvider, QueryError, identifier,
};
use pgkeep_postgres::tools::{ToolDirectory, Tools};
use pgkeep_types::counted;

use crate::globals::Globals;
use crate::replace::Replace;
use crate::roles::RolePlan;
use crate::server::Server;

pub(crate) use self::tablespaces::DEFAULT as DEFAULT_TABLESPACE;

/// What PostgreSQL makes databases from: the one is never changed, and what the other has
/// comes into each new one.
const TEMPLATES: [&str; 2] = ["template0", "template1"];

/// The database that every program expects.
const MAINTENANCE: &str = "postgres";

/// From this major on `pg_restore` sets `transaction_timeout`, which no older server
/// knows (`_doSetFixedOutputState` in src/bin/pg_dump/pg_backup_archiver.c).
const SETS_TRANSACTION_TIMEOUT: u32 = 17;

/// Something that a restore needs and does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is missing.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What is to be restored, and how.
pub(crate) struct Wanted<'a> {
    /// The name of the new database.
    pub(crate) name: &'a str,
    /// What it is called until it is whole.
    pub(crate) draft: &'a str,
    /// What it will be.
    pub(crate) facts: &'a DatabaseFacts,
    /// How a database of that name that may be there is replaced.
    pub(crate) replace: Option<Replace<'a>>,
    /// What of its database the backup was to have, where that is not all of it.
    pub(crate) part: Option<String>,
    /// The version of the server that it was dumped from.
    pub(crate) server_version: &'a str,
    /// The version of the `pg_dump` that wrote the archive.
    pub(crate) pg_dump_version: &'a str,
    /// Whether it was dumped whole.
    pub(crate) is_everything: bool,
    /// Whether it is restored whole.
    pub(crate) is_whole: bool,
    pub(crate) tools: &'a Tools,
    /// The backup's globals, where missing roles are to be made from them.
    pub(crate) globals: Option<&'a Globals>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Preflight {
    pub(crate) problems: Vec<Problem>,
    /// What is not as it was, and no reason to stop.
    pub(crate) notes: Vec<String>,
    /// Missing roles that are to be made.
    pub(crate) roles: RolePlan,
    /// Whether there is a database that will be set aside.
    pub(crate) replaces: bool,
    /// What holds on to that one.
    pub(crate) attached: Attached,
    /// The programs to do it with.
    pub(crate) tools: Option<ToolDirectory>,
}

impl Preflight {
    /// Looks at everything.
    pub(crate) async fn look(wanted: &Wanted<'_>, server: &Server) -> Result<Self, QueryError> {
        let mut found = Self::default();
        found.writable(server);
        found.versions(wanted, server);
        found.database(wanted, server).await?;
        found.tablespaces(wanted, server).await?;
        found.rights(wanted, server).await?;
        found.locale(wanted, server).await?;
        found.extensions(wanted, server).await?;
        Ok(found)
    }

    /// Whether as many sessions can be had as are to fill the database at the same time.
    pub(crate) fn sessions(&mut self, wanted: usize, left: usize, role: &str) {
        if wanted > left {
            self.problem(
                format!(
                    "role {role:?} can have {} more just now, and {wanted} jobs take as many",
                    counted(left, "session")
                ),
                match left {
                    0 => "wait until others have ended, or raise max_connections".to_owned(),
                    left => format!("restore with --jobs {left} or fewer"),
                },
            );
        }
    }

    fn problem(&mut self, what: String, hint: impl Into<Option<String>>) {
        let hint = hint.into();
        self.problems.push(Problem { what, hint });
    }

    fn writable(&mut self, server: &Server) {
        if server.admin.is_in_recovery() {
            self.problem(
                "the server is a standby, or still recovering: nothing can be made on it"
                    .to_owned(),
                "name its primary with --into URL".to_owned(),
            );
        }
    }

    fn versions(&mut self, wanted: &Wanted<'_>, server: &Server) {
        let version = server.admin.server_version();
        let from = major(wanted.server_version);
        if version.major() < from {
            self.problem(
                format!(
                    "the backup is of PostgreSQL {}, and the server has {version}",
                    wanted.server_version
                ),
                format!(
                    "restore into PostgreSQL {from} or newer; --to-file writes the archive to \
                     try it by hand"
                ),
            );
            return;
        }
        let reader = version.major().max(major(wanted.pg_dump_version));
        match wanted.tools.for_server(reader) {
            Err(error) => self.problem(error.to_string(), error.hint()),
            Ok(choice) => {
                let tools = choice.tools;
                let since = SETS_TRANSACTION_TIMEOUT;
                if tools.major() >= since && version.major() < since {
                    self.problem(
                        format!(
                            "pg_restore {}, which reads the archive of pg_dump {}, does not \
                             restore into PostgreSQL {version}",
                            tools.version(),
                            wanted.pg_dump_version
                        ),
                        format!(
                            "restore into PostgreSQL {since} or newer; back up with the programs \
                             of PostgreSQL {} in future",
                            version.major()
                        ),
                    );
                }
                self.tools = Some(tools);
            }
        }
    }

    async fn database(&mut self, wanted: &Wanted<'_>, server: &Server) -> Result<(), QueryError> {
        let admin = &server.admin;
        let name = wanted.name;
        if TEMPLATES.contains(&name) {
            self.problem(
                format!(
                    "{name:?} is the server's own: what is in it comes into every database that \
                     is made there"
                ),
                "choose another name with --as NAME".to_owned(),
            );
            return Ok(());
        }
        match (client::owner_of(admin, name).await?, &wanted.replace) {
            (None, _) => {}
            (Some(owner), Some(replace)) => {
                self.replaces = true;
                if name == MAINTENANCE {
                    self.notes.push(format!(
                        "{name:?} is the database that programs go to that are told no other, to \
                         make and drop databases, this one too: their sessions are ended, and what \
                         they keep in it stays with the old one"
                    ));
                }
                self.part(name, replace, wanted.part.as_deref());
                self.attached = Attached::read(admin, name).await?;
                let problems = replace.problems(name, &self.attached, server).await?;
                self.problems.extend(problems);
                self.notes.extend(replace.notes(&self.attached));
                if !client::acts_as(admin, &owner).await? {
                    self.problem(
                        format!(
                            "database {name:?} belongs to {owner:?}, without whose rights it \
                             cannot be set aside"
                        ),
                        format!(
                            "name its owner or a superuser with --admin URL, or: {}",
                            rights::way_to_act_as(&owner, server).await?
                        ),
                    );
                }
            }
            (Some(_), None) if !wanted.is_whole => self.problem(
                format!("database {name:?} exists already"),
                "parts come into a new database: choose another name, and copy from there, as \
                 with pg_dump --table NAME --data-only | psql"
                    .to_owned(),
            ),
            (Some(_), None) => self.problem(
                format!("database {name:?} exists already"),
                "choose another name, drop it first, or put the new one into its place with \
                 --replace"
                    .to_owned(),
            ),
        }
        let draft = wanted.draft;
        if client::owner_of(admin, draft).await?.is_some() {
            self.problem(
                format!("database {draft:?} exists already"),
                format!(
                    "a restore of this backup fills it just now, or one that was cut off has left \
                     it: wait, or DROP DATABASE {}; or choose another name",
                    identifier(draft)
                ),
            );
        }
        Ok(())
    }

    /// A backup of a part takes the place of a database only where that very backup was
    /// named, and never for good.
    fn part(&mut self, name: &str, replace: &Replace<'_>, part: Option<&str>) {
        let Some(part) = part else {
            return;
        };
        if !replace.names_backup {
            self.problem(
                format!(
                    "the newest backup is of a part of the database ({part}), and database \
                     {name:?} may have more"
                ),
                "restore it beside with --as NAME, or name the backup that you mean with --backup \
                 ID; 'pgkeep list' shows which are whole"
                    .to_owned(),
            );
        }
        if replace.drops {
            self.problem(
                format!(
                    "the backup is of a part of the database ({part}), so database {name:?} is \
                     not dropped"
                ),
                "leave --drop-replaced away, and drop it yourself once it is not needed".to_owned(),
            );
        }
    }

    async fn locale(&mut self, wanted: &Wanted<'_>, server: &Server) -> Result<(), QueryError> {
        let admin = &server.admin;
        let version = admin.server_version();
        let locale = &wanted.facts.locale;
        let provider = locale.provider;
        if version.major() < provider.since() {
            self.problem(
                format!(
                    "PostgreSQL {version} does not know the locale provider {}",
                    provider.as_str()
                ),
                format!("restore into PostgreSQL {} or newer", provider.since()),
            );
        } else if provider == LocaleProvider::Icu && !client::has_icu(admin).await? {
            self.problem(
                "the server was built without ICU, by which the database sorts".to_owned(),
                None,
            );
        }
        for name in BTreeSet::from([&locale.collate, &locale.ctype]) {
            if !client::knows_locale(admin, name).await? {
                self.problem(
                    format!("the server's operating system has no locale {name:?}"),
                    "install it there and start PostgreSQL again".to_owned(),
                );
            }
        }
        Ok(())
    }

    async fn extensions(&mut self, wanted: &Wanted<'_>, server: &Server) -> Result<(), QueryError> {
        let available = client::available_extensions(&server.admin).await?;
        let hoster = client::hosters_role(&server.admin, &server.user).await?;
        let triggers = wanted.facts.objects.get(client::EVENT_TRIGGERS);
        if !server.is_superuser && triggers.is_some_and(|count| *count > 0) {
            self.superusers("event triggers", &hoster, wanted, server);
        }
        for extension in &wanted.facts.extensions {
            let name = &extension.name;
            match available.iter().find(|offered| offered.name == *name) {
                // Only pg_dump knows whether it was to be dumped.
                None if !wanted.is_everything => self.notes.push(format!(
                    "extension {name:?} is not installed here; the restore fails if the part \
                     of the database that was backed up has it"
                )),
                None => self.problem(
                    format!(
                        "extension {name:?} {} is not installed here",
                        extension.version
                    ),
                    "install its package on the server".to_owned(),
                ),
                Some(offered) if offered.is_superusers && !server.is_superuser => {
                    let what = format!("extension {name:?}");
                    self.superusers(&what, &hoster, wanted, server);
                }
                Some(offered) if offered.version != extension.version => self.notes.push(format!(
                    "extension {name:?} comes in version {}; the backup's database had {}",
                    offered.version, extension.version
                )),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// What only superusers make.
impl Preflight {
    /// `hoster`: a role by which others may do so here.
    fn superusers(
        &mut self,
        what: &str,
        hoster: &Option<String>,
        wanted: &Wanted<'_>,
        server: &Server,
    ) {
        let role = &server.user;
        let says = format!("role {role:?} is no superuser, and nobody else makes {what}");
        match hoster {
            None if wanted.is_everything && wanted.is_whole => self.problem(
                says,
                "fill the database as a superuser: name one with --into URL".to_owned(),
            ),
            None => self.notes.push(format!(
                "{says}; the restore fails if the part of the database that comes has it"
            )),
            Some(hoster) => self.notes.push(format!(
                "{says}, but as a member of {hoster:?} it may be let do so"
            )),
        }
    }
}

/// The first number of a version such as `15.18`.
pub(crate) fn major(version: &str) -> u32 {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
