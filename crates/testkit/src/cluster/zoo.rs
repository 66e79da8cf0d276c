//! Databases with the contents of real ones.
//!
//! Invariant: a server gets all of the zoo that it can hold; what is left out is
//! decided by its version and its build alone.

use super::Cluster;

/// The database whose name needs care.
const QUOTED: &str = "Zoo \"quoted\" ünï=x";

const ROLES: &str = include_str!("../../fixtures/roles.sql");
const DATABASES: &str = include_str!("../../fixtures/databases.sql");
const ZOO: &str = include_str!("../../fixtures/zoo.sql");
const CONTRIB: &str = include_str!("../../fixtures/zoo-contrib.sql");
const XML: &str = include_str!("../../fixtures/zoo-xml.sql");
const ICU: &str = include_str!("../../fixtures/zoo-icu.sql");
const VECTOR: &str = include_str!("../../fixtures/zoo-vector.sql");
const SINCE_17: &str = include_str!("../../fixtures/zoo-17plus.sql");
const SINCE_18: &str = include_str!("../../fixtures/zoo-18plus.sql");
const BUILTIN: &str = include_str!("../../fixtures/zoo-builtin.sql");
const SMALL: &str = include_str!("../../fixtures/small-zoo.sql");
const IN_QUOTED: &str = include_str!("../../fixtures/quoted.sql");
const LATIN: &str = include_str!("../../fixtures/latin.sql");

impl Cluster {
    /// The database whose name has quotes, spaces, letters beyond ASCII and an
    /// equals sign.
    pub const QUOTED: &str = QUOTED;

    /// Makes the database `small`, of which every server of 13 or newer holds all.
    pub async fn load_small_zoo(&self) {
        self.psql("postgres", "CREATE DATABASE small").await;
        self.psql("small", SMALL).await;
    }

    /// Makes of the zoo what every server of 15 or newer takes: the database `zoo`.
    pub async fn load_plain_zoo(&self) {
        self.psql("postgres", ROLES).await;
        self.psql("postgres", DATABASES).await;
        self.psql("zoo", ZOO).await;
    }

    /// Makes of the zoo what a server of 17 holds, and tells the databases.
    pub async fn load_zoo_of_17(&self) -> [&'static str; 2] {
        self.load_plain_zoo().await;
        self.psql("zoo", SINCE_17).await;
        self.psql("postgres", BUILTIN).await;
        ["zoo", "builtin"]
    }

    /// Makes the zoo's roles and databases, and tells the databases: `zoo`,
    /// [`QUOTED`](Self::QUOTED), `empty`, `latin`, and `icu` or `builtin` where
    /// the server has that locale provider.
    pub async fn load_zoo(&self) -> Vec<&'static str> {
        let mut databases = vec!["zoo", QUOTED, "empty", "latin"];
        self.psql("postgres", ROLES).await;
        self.psql("postgres", DATABASES).await;
        self.psql("zoo", ZOO).await;
        self.psql(QUOTED, IN_QUOTED).await;
        self.psql("latin", LATIN).await;
        if self.major().has_contrib() {
            self.psql("zoo", XML).await;
            self.psql("zoo", CONTRIB).await;
            self.psql("postgres", ICU).await;
            databases.push("icu");
        } else {
            self.psql("zoo", VECTOR).await;
        }
        if self.major().number() >= 17 {
            self.psql("zoo", SINCE_17).await;
            self.psql("postgres", BUILTIN).await;
            databases.push("builtin");
        }
        if self.major().number() >= 18 {
            self.psql("zoo", SINCE_18).await;
        }
        databases
    }
}
