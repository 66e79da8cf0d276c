//! A place where pgkeep is used: a home, a configuration, a repository, and a
//! cluster to look after.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pgkeep");

/// A home with a configuration and a repository.
pub(crate) struct Site {
    pub(crate) home: TempDir,
    variables: Vec<(String, OsString)>,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The exit code, or 128 and the signal.
    pub(crate) fn code(&self) -> i32 {
        let by_signal = self.status.signal().map(|signal| 128 + signal);
        self.status.code().or(by_signal).unwrap_or(-1)
    }

    /// Itself, where the command ended with `code`.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self:#?}");
        self
    }

    /// Itself, where stderr says all of `words`.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:#?}");
        }
        self
    }
}

/// libpq's `key=value` pairs for the superuser of a cluster.
pub(crate) fn socket_of(cluster: &Cluster) -> String {
    let connection = cluster.connection("postgres");
    let directory = connection.socket_directory().expect("a socket");
    format!(
        "host='{}' port={} user='{}' dbname=postgres",
        directory.display(),
        connection.port(),
        connection.user()
    )
}

/// The arguments of a restore with the recovery key; `more` says of what, and where to.
pub(crate) fn restore<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["restore"], more, &["--identity", "recovery.key"]].concat()
}

/// The arguments of a restore of database `app` as `new` into the server at `into`.
pub(crate) fn restore_as_new<'a>(into: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let of_app = ["--database", "app", "--as", "new", "--into", into];
    restore(&[&of_app, more].concat())
}

impl Site {
    /// A home with nothing in it.
    pub(crate) fn empty() -> Self {
        let programs = Major::ALL.map(Major::programs);
        let programs = std::env::join_paths(programs).expect("plain paths");
        Self {
            home: tempfile::tempdir().expect("a temporary directory"),
            variables: vec![("PGKEEP_POSTGRES_BIN".to_owned(), programs)],
        }
    }

    /// A home with a sealed repository for `cluster`.
    pub(crate) async fn of(cluster: &Cluster) -> Self {
        Self::with(&socket_of(cluster), &[]).await
    }

    /// A home with a repository; `more` goes to `init`.
    pub(crate) async fn with(connection: &str, more: &[&str]) -> Self {
        let site = Self::empty();
        let init = [
            "init",
            "--repository",
            "backups",
            "--connection",
            connection,
        ];
        site.run(&[&init, more].concat()).await.ended(0);
        site
    }

    /// Sets a variable for every command.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The command, in this home, with nothing of this process's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Another program with the surroundings of [`command`](Self::command).
    pub(crate) fn other_program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, value) in self.command(&[]).as_std().get_envs() {
            command.env(name, value.expect("set"));
        }
        command
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a script of Python's in this home.
    pub(crate) async fn python(&self, script: &str, arguments: &[&str]) -> Ran {
        let mut command = self.other_program("python3");
        let child = command.args(["-c", script]).args(arguments).spawn();
        ended(child.expect("python3")).await
    }

    /// What `key list` tells of the first key that has this role.
    pub(crate) async fn key_of(&self, role: &str) -> Value {
        let listed = self.run(&["key", "list", "--json"]).await.ended(0).stdout;
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        let mut keys = listed["keys"].as_array().expect("keys").iter();
        let key = keys.find(|key| key["role"] == role);
        key.expect("a key of that role").clone()
    }

    /// Retires the host, and tells its key's fingerprint.
    pub(crate) async fn retire_host(&self) -> String {
        let host = self.key_of("host").await;
        let host = host["fingerprint"].as_str().expect("a fingerprint");
        let retire = ["key", "remove", host, "--identity", "recovery.key", "--yes"];
        self.run(&retire).await.ended(0);
        host.to_owned()
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.start(arguments)).await
    }

    /// Starts a shell whose mounts are its own, and gone with it. Mounting takes root, or a
    /// namespace of users.
    pub(crate) fn start_with_own_mounts(&self, script: &str) -> Child {
        // In a namespace of users root would lose its rights on the server's socket.
        let is_root = std::fs::metadata("/proc/self").expect("/proc").uid() == 0;
        let namespaces: &[&str] = match is_root {
            true => &["--mount"],
            false => &["--mount", "--map-root-user"],
        };
        let mut command = Command::new("unshare");
        command
            .args(namespaces)
            .args(["sh", "-ec", script])
            .current_dir(self.home.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let like = self.command(&[]);
        for (name, value) in like.as_std().get_envs() {
            command.env(name, value.expect("a value"));
        }
        command.spawn().expect("unshare")
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("pgkeep")
    }

    /// Backs a database up and tells the backup's id.
    pub(crate) async fn back_up(&self, database: &str) -> String {
        let ran = self
            .run(&["backup", "main", "--database", database, "--json"])
            .await;
        let report: Value = serde_json::from_str(&ran.ended(0).stdout).expect("JSON");
        assert_eq!(report["backups"][0]["status"], "complete");
        report["backups"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// What `list --json` says, whatever its exit code.
    pub(crate) async fn list(&self) -> Vec<Value> {
        let ran = self.run(&["list", "--json"]).await;
        let listing: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(listing["version"], 1);
        listing["backups"].as_array().expect("backups").clone()
    }

    /// The ids of the backups that are listed as good.
    pub(crate) async fn good(&self) -> Vec<String> {
        let listed = self.list().await;
        let good = listed
            .iter()
            .filter(|backup| backup["status"] == "complete");
        good.map(|backup| backup["id"].as_str().expect("an id").to_owned())
            .collect()
    }

    /// Every file of the repository, litter too.
    pub(crate) fn repository_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.path("backups"), &mut files);
        files.sort();
        files
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so. Where that never comes the test fails, and says `what` it was.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for a command's end.
pub(crate) async fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().await.expect("an end");
    Ran {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}
