//! How a database sorts.
//!
//! Invariant: the words and numbers are PostgreSQL's own.

/// How a database sorts.
#[derive(Clone, Debug, PartialEq)]
pub struct Locale {
    /// Whose rules they are.
    pub provider: LocaleProvider,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// The provider's locale, where it is not libc.
    pub locale: Option<String>,
    /// Rules added to ICU's (16 and later).
    pub icu_rules: Option<String>,
    /// The version of the provider's rules that indexes were built with (15 and
    /// later).
    pub collation_version: Option<String>,
}

/// `pg_database.datlocprovider`; always libc before 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocaleProvider {
    /// The C library.
    Libc,
    /// ICU (15 and later).
    Icu,
    /// PostgreSQL itself (17 and later).
    Builtin,
}

impl LocaleProvider {
    /// The first major version whose databases may have it.
    #[must_use]
    pub fn since(self) -> u32 {
        match self {
            Self::Libc => 0,
            Self::Icu => 15,
            Self::Builtin => 17,
        }
    }

    /// The word in `CREATE DATABASE … LOCALE_PROVIDER`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Icu => "icu",
            Self::Builtin => "builtin",
        }
    }
}
