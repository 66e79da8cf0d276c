//! Asking the configured questions.
//!
//! Invariants: whoever asks is no superuser, and reads only; each question has a session
//! and a result of its own; what cannot be asked was answered wrong.

use std::time::Instant;

use pgkeep_config::Question;
use pgkeep_format::records::ProofAnswer;
use pgkeep_postgres::client::{
    Answer, Connection, ConnectionParameters, QueryError, QuestionError, ask, connect, identifier,
};
use pgkeep_postgres::server::ThrowawayServer;
use pgkeep_types::{Random, Timestamp};

use crate::judge::{judge, told};
use crate::refusal::{OTHER_SERVER, is_of_another_server, words};
use crate::steps::milliseconds;

/// From this major on there is a role that reads everything.
const HAS_READ_ALL: u32 = 14;

/// What came of a question.
pub(crate) struct Asked {
    pub(crate) answer: ProofAnswer,
    /// Whether there is no answer since another server was to give it.
    pub(crate) elsewhere: bool,
}

/// Why a question was not answered.
struct Unanswered {
    problem: String,
    elsewhere: bool,
}

impl Unanswered {
    fn here(error: &(dyn std::error::Error + 'static)) -> Self {
        Self {
            problem: words(error),
            elsewhere: false,
        }
    }

    fn by(error: &QuestionError, server: &ThrowawayServer) -> Self {
        match error {
            QuestionError::Query(QueryError::Refused { refusal, .. })
                if is_of_another_server(&refusal.message, &server.obstacles()) =>
            {
                Self {
                    problem: format!("{OTHER_SERVER}: {}", words(error)),
                    elsewhere: true,
                }
            }
            error => Self::here(error),
        }
    }
}

/// Who asks, in a database that was restored.
pub(crate) struct Questioner<'a> {
    server: &'a ThrowawayServer,
    connection: ConnectionParameters,
}

impl<'a> Questioner<'a> {
    /// Makes a role that reads everything in `database` and writes nothing, and lets it in.
    /// `admin` is a superuser's session in another database of `server`, `inside` one in this
    /// one.
    pub(crate) async fn new(
        server: &'a ThrowawayServer,
        admin: &Connection,
        inside: &Connection,
        random: &dyn Random,
    ) -> Result<Self, QueryError> {
        let mut drawn = [0; 8];
        random.fill(&mut drawn);
        let name = format!("pgkeep_asks_{:016x}", u64::from_le_bytes(drawn));
        let role = identifier(&name);
        let database = identifier(inside.database());
        // A library of the database's settings is not to be loaded, and a database that
        // lets nobody in can be asked all the same.
        for statement in [
            format!("CREATE ROLE {role} LOGIN BYPASSRLS"),
            // The log is to tell why a question is refused, whatever the database has set.
            format!("ALTER ROLE {role} SET log_min_messages = warning"),
            format!("ALTER ROLE {role} SET log_error_verbosity = verbose"),
            format!("ALTER ROLE {role} SET lc_messages = 'C'"),
            format!("ALTER DATABASE {database} RESET session_preload_libraries"),
            format!("ALTER DATABASE {database} RESET local_preload_libraries"),
            format!("ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1"),
            format!("GRANT CONNECT ON DATABASE {database} TO {role}"),
        ] {
            admin.batch(&statement).await?;
        }
        if admin.server_version().major() >= HAS_READ_ALL {
            admin
                .batch(&format!("GRANT pg_read_all_data TO {role}"))
                .await?;
        } else {
            read_all(inside, &role).await?;
        }
        Ok(Self {
            server,
            connection: inside.parameters().with_user(&name).without_options(),
        })
    }

    /// Asks one question; `now` is when the proof began.
    pub(crate) async fn ask(&self, question: &Question, now: Timestamp) -> Asked {
        let begun = Instant::now();
        let answered = self.answered(question).await;
        let ms = milliseconds(begun, Instant::now());
        let (answer, problem, elsewhere) = match answered {
            Ok(answer) => (
                Some(told(&answer)),
                judge(&question.expected, &answer, now).err(),
                false,
            ),
            Err(Unanswered { problem, elsewhere }) => (None, Some(problem), elsewhere),
        };
        let answer = ProofAnswer {
            name: question.name.clone(),
            database: question.database.clone(),
            sql: question.sql.clone(),
            expected: question.expected.to_string(),
            answer,
            right: problem.is_none(),
            problem,
            ms,
        };
        Asked { answer, elsewhere }
    }

    async fn answered(&self, question: &Question) -> Result<Answer, Unanswered> {
        let session = connect(&self.connection).await;
        let session = session.map_err(|error| Unanswered::here(&error))?;
        // Tables are found as an application's session finds them.
        let reset = session.batch("RESET search_path").await;
        reset.map_err(|error| Unanswered::here(&error))?;
        let asked = ask(&session, &question.sql, question.timeout).await;
        asked.map_err(|error| Unanswered::by(&error, self.server))
    }
}

/// Lets a role read every table of every schema, before there was a role for that.
async fn read_all(inside: &Connection, role: &str) -> Result<(), QueryError> {
    let rows = inside
        .query(
            "SELECT nspname::text AS name FROM pg_catalog.pg_namespace \
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
            &[],
        )
        .await?;
    for row in &rows {
        let schema: String = inside.column(row, "name")?;
        let schema = identifier(&schema);
        for statement in [
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"),
        ] {
            inside.batch(&statement).await?;
        }
    }
    Ok(())
}
