//! One attempt at proving a backup, step by step.
//!
//! Invariants: each step begins where the one before it was right; the first that is not
//! ends the attempt, but for `pg_amcheck`, which comes after the last answer.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pgkeep_config::{Isolation, Question};
use pgkeep_format::records::{BackupRecord, DumpFacts, ProofAnswer};
use pgkeep_postgres::client::{
    Connection, ConnectionParameters, connect, identifier, literal, needed_roles, unknown_roles,
};
use pgkeep_postgres::server::{self, Workspace, can_isolate};
use pgkeep_repository::OpenBackup;
use pgkeep_restore::{DumpRestore, GlobalsPlan, LeftOut, Phase, PreparedRestore, Restored, Wish};
use pgkeep_types::{Timestamp, counted, size};

use crate::amcheck::{self, Checked};
use crate::place::{Place, make_way};
use crate::questions::{Asked, Questioner};
use crate::refusal::{Refusal, words};
use crate::server::Programs;
use crate::steps::{Steps, milliseconds};
use crate::{Prover, Step, room};

/// An attempt, and what it has come to so far.
pub(crate) struct Attempt<'a> {
    pub(crate) prover: &'a Prover<'a>,
    pub(crate) backup: &'a BackupRecord,
    pub(crate) steps: Steps<'a>,
    /// When it began.
    pub(crate) begun: Instant,
    pub(crate) started: Timestamp,
    pub(crate) come_to: Mutex<ComeTo>,
}

/// What an attempt has come to.
#[derive(Debug, Default)]
pub(crate) struct ComeTo {
    pub(crate) answers: Vec<ProofAnswer>,
    pub(crate) restore_ms: Option<u64>,
    pub(crate) server_version: Option<String>,
    pub(crate) pg_restore_version: Option<String>,
}

impl Attempt<'_> {
    fn with<T>(&self, change: impl FnOnce(&mut ComeTo) -> T) -> T {
        change(&mut self.come_to.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The questions about the backup's database.
    fn questions(&self) -> impl Iterator<Item = &Question> {
        let questions = self.prover.questions.iter();
        questions.filter(|question| question.database == self.backup.database)
    }

    /// Opens the backup, and its facts.
    pub(crate) async fn open(&self) -> Result<(OpenBackup, DumpFacts), Refusal> {
        self.steps.begin(Step::Open);
        let repository = self.prover.repository;
        let opened = repository
            .open_backup(self.prover.access, self.backup)
            .await;
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let error = repository.explain(self.backup, error).await;
                return Err(Refusal::of_repository(&error));
            }
        };
        let facts = match opened.facts().await {
            Ok(facts) => facts,
            Err(error) => {
                let error = repository.explain(self.backup, error).await;
                return Err(Refusal::of_repository(&error));
            }
        };
        let facts = DumpFacts::from_json(&facts)
            .map_err(|error| Refusal::Backup(format!("its facts: {}", words(&error))))?;
        self.steps.done(vec![format!(
            "a dump of database {:?} of PostgreSQL {}, {} of archive",
            self.backup.database,
            self.backup.server_version,
            size(self.backup.raw_bytes)
        )]);
        Ok((opened, facts))
    }

    /// Looks for room, and starts a server. Not to be given up in the middle.
    pub(crate) async fn start(
        &self,
        (backup, facts): (OpenBackup, DumpFacts),
    ) -> Result<Place, Refusal> {
        self.steps.begin(Step::Room);
        let programs = Programs::choose(self.prover.tools, &self.backup.server_version);
        let programs = programs.map_err(Refusal::Host)?;
        let needed = room::needed(self.backup, &facts);
        let found = room::look(self.prover.scratch, needed).map_err(Refusal::Host)?;
        self.steps.done(vec![found]);

        self.steps.begin(Step::Isolate);
        let workspace = Workspace::make(self.prover.scratch);
        let workspace = workspace.map_err(|error| Refusal::of_server(&error))?;
        let isolation = self.isolate(&programs, &workspace)?;

        self.steps.begin(Step::Server);
        let server = programs
            .start(workspace.path(), facts.database.tables, isolation)
            .await;
        let server = server.map_err(|error| Refusal::of_server(&error))?;
        let version = programs.tools.version().to_owned();
        let mut notes = vec![format!(
            "PostgreSQL {version} in {}",
            programs.tools.path().display()
        )];
        notes.extend(programs.newer.clone());
        self.with(|come_to| come_to.server_version = Some(version));
        self.steps.done(notes);
        Ok(Place {
            server,
            workspace,
            programs,
            backup,
        })
    }

    /// Looks whether a server can be kept from everything else, before there is one.
    fn isolate(
        &self,
        programs: &Programs,
        workspace: &Workspace,
    ) -> Result<server::Isolation, Refusal> {
        match self.prover.isolation {
            Isolation::None => {
                self.steps.not_done(
                    "not done: not isolated, as was asked for: the database's own code could reach what \
                     this machine reaches",
                );
                Ok(server::Isolation::Account)
            }
            Isolation::Namespaces => {
                let can = can_isolate(programs.tools.path(), workspace.path());
                can.map_err(|error| Refusal::of_isolation(&error))?;
                self.steps.done(Vec::new());
                Ok(server::Isolation::Namespaces)
            }
        }
    }

    /// Restores, compares and asks.
    pub(crate) async fn work(&self, place: &Place) -> Result<(), Refusal> {
        let name = &self.backup.database;
        let connection = place.connection_beside(name);
        let admin = connect(&connection).await;
        let admin = admin.map_err(|error| Refusal::Host(words(&error)))?;
        make_way(&admin, name).await?;
        self.roles(place, &admin, &connection).await?;
        let (restored, notes) = self.restore(place, &admin, &connection).await?;
        let inside = connect(&connection.with_database(name).writable()).await;
        let inside = inside.map_err(|error| Refusal::Backup(words(&error)))?;
        self.check_tables(&inside, &restored).await?;
        self.steps.done(notes);
        let asked = self.ask(place, &admin, &inside).await;
        let ms = milliseconds(self.begun, Instant::now());
        self.with(|come_to| come_to.restore_ms = Some(ms));
        asked?;
        self.amcheck(place, &inside).await
    }

    /// Makes what the globals have: roles, and tablespaces in the server's own directory.
    async fn roles(
        &self,
        place: &Place,
        admin: &Connection,
        connection: &ConnectionParameters,
    ) -> Result<(), Refusal> {
        self.steps.begin(Step::Roles);
        if !self.backup.globals {
            self.steps
                .not_done("not done: the backup has no globals with it");
            return Ok(());
        }
        let newer = place.programs.newer.as_deref();
        let refused = |error| Refusal::of_restore(&error, newer, &place.server.obstacles());
        let plan = GlobalsPlan::look(&place.backup, connection).await;
        let plan = plan.map_err(refused)?;
        let mut mapped = Vec::new();
        for (number, tablespace) in plan.tablespaces().iter().enumerate() {
            self.tablespace(place, admin, number, &tablespace.name)
                .await?;
            mapped.push(format!("{:?}", tablespace.name));
        }
        plan.apply_roles().await.map_err(refused)?;
        let mut notes = vec![counted(plan.roles().len() as u64, "role")];
        if !mapped.is_empty() {
            notes.push(format!(
                "tablespaces in the throwaway server's own directory, not where they were: {}",
                mapped.join(", ")
            ));
        }
        self.steps.done(notes);
        Ok(())
    }

    async fn tablespace(
        &self,
        place: &Place,
        admin: &Connection,
        number: usize,
        name: &str,
    ) -> Result<(), Refusal> {
        let directory = place.server.make_directory(&format!("tablespace-{number}"));
        let directory = directory.map_err(|error| Refusal::of_server(&error))?;
        let statement = format!(
            "CREATE TABLESPACE {} LOCATION {}",
            identifier(name),
            literal(&directory.to_string_lossy())
        );
        let made = admin.batch(&statement).await;
        made.map_err(|error| Refusal::Host(words(&error)))
    }

    /// Leaves the comparison to be ended.
    async fn restore(
        &self,
        place: &Place,
        admin: &Connection,
        connection: &ConnectionParameters,
    ) -> Result<(Restored, Vec<String>), Refusal> {
        let newer = place.programs.newer.as_deref();
        let refused = |error| Refusal::of_restore(&error, newer, &place.server.obstacles());
        self.steps.begin(Step::Look);
        let progress = self.prover.progress.restore();
        let wish = Wish::default();
        let restore = DumpRestore {
            connection,
            admin: connection,
            tools: self.prover.tools,
            name: &self.backup.database,
            wish: &wish,
            jobs: None,
            left_out: LeftOut::default(),
            replace: None,
            create_roles: false,
            progress,
        };
        let prepared = restore.prepare(&place.backup).await.map_err(refused)?;
        self.look(admin, &prepared).await?;
        let begun = Instant::now();
        self.steps.begin_at(Step::Restore, begun);
        let applied = prepared
            .apply(Box::pin(std::future::pending::<()>()).as_mut())
            .await;
        if let Some(filled) = progress.entered(Phase::Comparing) {
            self.steps.done_at(filled);
            self.steps.begin_at(Step::Compare, filled);
        }
        let restored = applied.map_err(refused)?;
        let mut notes = compared(&prepared, &restored);
        let took = self.size(admin).await?;
        notes.push(format!(
            "{} on disk, {} where it was dumped",
            size(took),
            size(prepared.properties().size_bytes)
        ));
        Ok((restored, notes))
    }

    /// How many bytes the restored database has on disk.
    async fn size(&self, admin: &Connection) -> Result<u64, Refusal> {
        let asked = async {
            let sql = "SELECT pg_catalog.pg_database_size(oid) AS size \
                       FROM pg_catalog.pg_database WHERE datname = $1";
            let row = admin.query_one(sql, &[&self.backup.database]).await?;
            admin.column::<i64>(&row, "size")
        };
        let size = asked.await.map_err(|error| Refusal::Host(words(&error)))?;
        Ok(size.unsigned_abs())
    }

    /// What is missing: of roles it is the backup's fault, of everything else the host's.
    async fn look(
        &self,
        admin: &Connection,
        prepared: &PreparedRestore<'_>,
    ) -> Result<(), Refusal> {
        let properties = prepared.properties();
        let missing = unknown_roles(admin, &needed_roles(properties)).await;
        let missing = missing.map_err(|error| Refusal::Host(words(&error)))?;
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|role| format!("{role:?}")).collect();
            let names = names.join(", ");
            return Err(Refusal::Backup(match self.backup.globals {
                true => format!("it needs roles that its globals do not have: {names}"),
                false => format!("it needs roles, and has no globals with it: {names}"),
            }));
        }
        if let Err(error) = prepared.is_possible() {
            return Err(Refusal::of_restore(&error, None, &[]));
        }
        if let Some(tools) = prepared.tools() {
            let version = tools.version().to_owned();
            self.with(|come_to| come_to.pg_restore_version = Some(version));
        }
        self.steps.done(prepared.notes().to_vec());
        Ok(())
    }

    /// No tables at all is a failure, but for PostgreSQL's own database, which has none.
    async fn check_tables(&self, inside: &Connection, restored: &Restored) -> Result<(), Refusal> {
        let is_own = self.backup.database == "postgres" && self.questions().next().is_none();
        if restored.tables == 0 && !is_own {
            return Err(Refusal::Backup(format!(
                "database {:?} has no tables at all",
                self.backup.database
            )));
        }
        // What a subscription would do is not to be done, whoever has enabled it.
        let enabled = inside
            .query(
                "SELECT FROM pg_catalog.pg_subscription WHERE subenabled LIMIT 1",
                &[],
            )
            .await;
        match enabled {
            Ok(rows) if rows.is_empty() => Ok(()),
            Ok(_) => Err(Refusal::Backup(
                "a subscription came back enabled: a restore would take over from the old server"
                    .to_owned(),
            )),
            Err(error) => Err(Refusal::Host(words(&error))),
        }
    }

    async fn ask(
        &self,
        place: &Place,
        admin: &Connection,
        inside: &Connection,
    ) -> Result<(), Refusal> {
        self.steps.begin(Step::Questions);
        let questions: Vec<&Question> = self.questions().collect();
        if questions.is_empty() {
            self.steps
                .not_done("not done: no questions are configured for this database");
            return Ok(());
        }
        let questioner = Questioner::new(&place.server, admin, inside, self.prover.random).await;
        let questioner = questioner.map_err(|error| Refusal::Backup(words(&error)))?;
        let (mut wrong, mut beyond) = (Vec::new(), None);
        for question in &questions {
            let Asked { answer, elsewhere } = questioner.ask(question, self.started).await;
            if elsewhere {
                let problem = answer.problem.as_deref().unwrap_or_default();
                beyond = Some(format!("question {:?}: {problem}", answer.name));
                self.with(|come_to| come_to.answers.push(answer));
                continue;
            }
            if let Some(problem) = &answer.problem {
                wrong.push(match &answer.answer {
                    Some(told) => format!(
                        "question {:?} was to answer {}, and answered {told}: {problem}",
                        answer.name, answer.expected
                    ),
                    None => format!("question {:?} was not answered: {problem}", answer.name),
                });
            }
            self.with(|come_to| come_to.answers.push(answer));
        }
        if !wrong.is_empty() {
            let (wrong_ones, all) = (wrong.len(), questions.len());
            self.steps
                .failed(vec![format!("{wrong_ones} of {all} wrong")]);
            if wrong_ones > TOLD {
                wrong.truncate(TOLD);
                wrong.push(format!("and {} more", wrong_ones - TOLD));
            }
            return Err(Refusal::Backup(wrong.join("; ")));
        }
        if let Some(beyond) = beyond {
            return Err(Refusal::Host(beyond));
        }
        self.steps
            .done(vec![counted(questions.len() as u64, "right answer")]);
        Ok(())
    }

    async fn amcheck(&self, place: &Place, inside: &Connection) -> Result<(), Refusal> {
        self.steps.begin(Step::Amcheck);
        match amcheck::check(&place.programs.tools, inside).await {
            Ok(Checked::Done) => self.steps.done(Vec::new()),
            Ok(Checked::NotDone(why)) => self.steps.not_done(why),
            Ok(Checked::Failed(problem)) => return Err(Refusal::Backup(problem)),
            Err(error) => return Err(Refusal::Host(words(&error))),
        }
        Ok(())
    }
}

/// So many wrong answers are told in one sentence.
const TOLD: usize = 3;

/// How a note of what was not compared begins.
pub const NOT_COMPARED: &str = "not compared: ";

/// What was compared, in words.
fn compared(prepared: &PreparedRestore<'_>, restored: &Restored) -> Vec<String> {
    let of = prepared.compared();
    let mut notes = vec![format!(
        "equal: {}, {} in {}, {}, {}",
        counted(restored.tables, "table"),
        counted(of.rows, "row"),
        counted(of.tables as u64, "table"),
        counted(of.sequences as u64, "sequence"),
        counted(prepared.properties().extensions.len() as u64, "extension"),
    )];
    notes.extend(restored.notes.iter().cloned());
    if let [first, ..] = restored.uncounted.as_slice() {
        notes.push(format!(
            "{NOT_COMPARED}the rows of {} ({first} …), not counted when they were dumped",
            counted(restored.uncounted.len() as u64, "table")
        ));
    }
    if let Some(part) = prepared.dumped_part() {
        notes.push(format!(
            "{NOT_COMPARED}more than a part of the database, which is all that the backup has: \
             {part}"
        ));
    }
    notes.extend(
        restored
            .said
            .iter()
            .map(|said| format!("pg_restore says: {said}")),
    );
    notes
}
