//! What tests ask of a server with PostgreSQL's own programs, and how they
//! disturb it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use pgkeep_postgres::client::ConnectionParameters;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Cluster;

/// How long a test waits for something to appear.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

impl Cluster {
    /// Runs SQL and psql's own commands; what they print, bare, one row a line.
    ///
    /// # Panics
    ///
    /// Where one fails, with psql's words.
    pub async fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = self.command("psql", &self.connection(database));
        command
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args([
                "--set=ON_ERROR_STOP=1",
                "--set=VERBOSITY=verbose",
                "--file=-",
            ]);
        run(command, sql).await
    }

    /// The database as `pg_dump -C` writes it, without the `\restrict` lines,
    /// whose key is another one each time.
    ///
    /// # Panics
    ///
    /// Where pg_dump fails, with its words.
    pub async fn pg_dump_c(&self, database: &str) -> String {
        let mut command = self.command("pg_dump", &self.connection(database));
        command.arg("--create");
        let dump = run(command, "").await;
        let lines = dump
            .lines()
            .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
        lines.fold(String::with_capacity(dump.len()), |text, line| {
            text + line + "\n"
        })
    }

    /// Kills the server process of the first session whose application's name
    /// ends so, with SIGKILL, as soon as it is there and runs a statement. The
    /// server has seen it and ended all sessions then, and recovers by itself.
    pub async fn kill_backend_of(&self, application: &str) {
        let witness = self.connect("postgres").await;
        let backend = self.wait_for_backend_of(application).await;
        let killed = Command::new("kill")
            .args(["-KILL", &backend.to_string()])
            .status()
            .await
            .expect("the program kill");
        assert!(killed.success(), "kill failed: {killed}");
        let deadline = Instant::now() + DEADLINE;
        while witness.batch("SELECT 1").await.is_ok() {
            assert!(Instant::now() < deadline, "the server has seen nothing");
        }
    }

    /// Ends the first session whose application's name ends so, with
    /// `pg_terminate_backend`, as soon as it is there and runs a statement.
    pub async fn terminate_backend_of(&self, application: &str) {
        let backend = self.wait_for_backend_of(application).await;
        let statement = format!("SELECT pg_terminate_backend({backend})");
        self.psql("postgres", &statement).await;
    }

    async fn wait_for_backend_of(&self, application: &str) -> i32 {
        let session = self.connect("postgres").await;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let rows = session
                .query(
                    "SELECT pid FROM pg_catalog.pg_stat_activity \
                     WHERE application_name LIKE '%' || $1 AND state = 'active' LIMIT 1",
                    &[&application],
                )
                .await
                .expect("the sessions");
            if let Some(row) = rows.first() {
                return row.get(0);
            }
            assert!(Instant::now() < deadline, "no session of {application}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn command(&self, program: &str, connection: &ConnectionParameters) -> Command {
        let mut command = Command::new(self.major().clients().join(program));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("PGCLIENTENCODING", "UTF8");
        for (name, value) in connection.to_environment() {
            command.env(name, value.expose());
        }
        command
    }
}

async fn run(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a program of PostgreSQL's");
    let mut stdin = child.stdin.take().expect("its input");
    let input = input.to_owned();
    // A program that fails early closes its input; its own words say why.
    let feed = tokio::spawn(async move {
        let _ = stdin.write_all(input.as_bytes()).await;
    });
    let output = child.wait_with_output().await.expect("its output");
    feed.await.expect("a task");
    let words = String::from_utf8_lossy(&output.stderr);
    let program = command.as_std().get_program().display();
    assert!(output.status.success(), "{program} failed: {words}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
