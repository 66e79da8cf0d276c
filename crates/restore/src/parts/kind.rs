//! What the entries of a table of contents are, by their descriptions (the
//! `.description` of every `ArchiveEntry` in src/bin/pg_dump/pg_dump.c).
//!
//! Invariant: what is not known comes only where something needs it, and is told where
//! it belongs to a chosen table.

/// How an entry comes into a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table, ordinary, partitioned or foreign.
    Table,
    /// A view, materialized or not.
    View,
    /// A sequence, also that of an identity column.
    Sequence,
    /// The rows of a table, or the order to fill a materialized view.
    Rows,
    /// The value of a sequence.
    Value,
    /// What a table or sequence is not whole without: it comes with everything that it
    /// needs.
    Part,
    /// What ties a table to others: it comes where they do.
    Tie,
    /// A foreign key: it comes where the rows of the other table do.
    ForeignKey,
    /// Rights and words about something: they come with it.
    Words,
    /// What a function's body may use without anybody knowing: it comes always, where it
    /// needs no table that does not.
    Support,
    /// Such a one too.
    Extension,
    /// Large objects.
    LargeObjects,
    /// What sends or fetches rows elsewhere: it never comes.
    Replication,
    /// Everything else comes where it is needed.
    Other,
}

impl Kind {
    pub(super) fn of(description: &[u8]) -> Self {
        match description {
            b"TABLE" | b"FOREIGN TABLE" => Self::Table,
            b"VIEW" | b"MATERIALIZED VIEW" => Self::View,
            b"SEQUENCE" => Self::Sequence,
            b"TABLE DATA" | b"MATERIALIZED VIEW DATA" => Self::Rows,
            b"SEQUENCE SET" => Self::Value,
            b"DEFAULT" | b"CONSTRAINT" | b"CHECK CONSTRAINT" | b"INDEX" | b"STATISTICS"
            | b"STATISTICS DATA" | b"ROW SECURITY" | b"SEQUENCE OWNED BY" => Self::Part,
            b"TABLE ATTACH" | b"INDEX ATTACH" | b"TRIGGER" | b"RULE" | b"POLICY" => Self::Tie,
            b"FK CONSTRAINT" => Self::ForeignKey,
            b"ACL" | b"COMMENT" | b"SECURITY LABEL" => Self::Words,
            b"EXTENSION" => Self::Extension,
            b"TYPE"
            | b"SHELL TYPE"
            | b"DOMAIN"
            | b"FUNCTION"
            | b"PROCEDURE"
            | b"AGGREGATE"
            | b"OPERATOR"
            | b"OPERATOR CLASS"
            | b"OPERATOR FAMILY"
            | b"COLLATION"
            | b"CONVERSION"
            | b"CAST"
            | b"PROCEDURAL LANGUAGE"
            | b"TEXT SEARCH PARSER"
            | b"TEXT SEARCH DICTIONARY"
            | b"TEXT SEARCH TEMPLATE"
            | b"TEXT SEARCH CONFIGURATION" => Self::Support,
            b"BLOBS" => Self::LargeObjects,
            b"PUBLICATION"
            | b"PUBLICATION TABLE"
            | b"PUBLICATION TABLES IN SCHEMA"
            | b"SUBSCRIPTION"
            | b"SUBSCRIPTION TABLE" => Self::Replication,
            _ => Self::Other,
        }
    }

    /// Whether rows or definitions of it are somebody's data.
    pub(super) fn is_relation(self) -> bool {
        matches!(self, Self::Table | Self::View | Self::Sequence)
    }
}
