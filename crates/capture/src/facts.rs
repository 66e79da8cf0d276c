//! Facts of a database, from PostgreSQL's words into the repository's.
//!
//! Invariant: nothing is left out; a new field on either side does not compile
//! until it has its place here.

use pgkeep_format::records;
use pgkeep_postgres::client;

use crate::archive::Archive;

/// The record of what was seen.
pub(crate) fn record(
    facts: client::DatabaseFacts,
    contents: client::Contents,
    archive: &Archive,
    selection: &records::Selection,
    pg_dump_version: &str,
) -> records::DumpFacts {
    let client::Contents {
        tables: held,
        sequences,
    } = contents;
    let client::DatabaseFacts {
        name,
        owner,
        encoding,
        locale,
        tablespace,
        connection_limit,
        is_template,
        allow_connections,
        comment,
        security_labels,
        privileges,
        settings,
        roles,
        extensions,
        schemas,
        tablespaces,
        objects,
        not_dumped,
        tables,
        size_bytes,
        server_version,
        // The `backup` record has it.
        system_id: _,
    } = facts;
    records::DumpFacts {
        server_version: server_version.to_string(),
        pg_dump_version: pg_dump_version.to_owned(),
        selection: selection.clone(),
        database: records::DatabaseFacts {
            name,
            owner,
            encoding,
            locale_provider: provider(locale.provider),
            collate: locale.collate,
            ctype: locale.ctype,
            locale: locale.locale,
            icu_rules: locale.icu_rules,
            collation_version: locale.collation_version,
            tablespace,
            connection_limit,
            is_template,
            allows_connections: allow_connections,
            comment,
            security_labels: security_labels.into_iter().map(label).collect(),
            privileges: privileges.map(|list| list.into_iter().map(grant).collect()),
            settings: settings.into_iter().map(setting).collect(),
            roles,
            extensions: extensions.into_iter().map(extension).collect(),
            schemas,
            tablespaces,
            objects,
            not_dumped,
            tables,
            size: size_bytes,
        },
        tables: held.into_iter().map(|t| table(t, archive)).collect(),
        sequences: sequences.into_iter().map(sequence).collect(),
    }
}

fn table(table: client::Table, archive: &Archive) -> records::TableFacts {
    let client::Table { schema, name, oid } = table;
    let data = archive.tables.get(&oid);
    records::TableFacts {
        schema,
        name,
        rows: data.and_then(|data| data.rows),
        bytes: data.map(|data| data.bytes),
    }
}

fn sequence(sequence: client::Sequence) -> records::SequenceFacts {
    let client::Sequence {
        schema,
        name,
        last_value,
        // What a restored one is made with, the archive knows.
        increment: _,
        cycles: _,
    } = sequence;
    records::SequenceFacts {
        schema,
        name,
        last_value,
    }
}

fn provider(provider: client::LocaleProvider) -> records::LocaleProvider {
    match provider {
        client::LocaleProvider::Libc => records::LocaleProvider::Libc,
        client::LocaleProvider::Icu => records::LocaleProvider::Icu,
        client::LocaleProvider::Builtin => records::LocaleProvider::Builtin,
    }
}

fn label(label: client::SecurityLabel) -> records::SecurityLabel {
    let client::SecurityLabel { provider, label } = label;
    records::SecurityLabel { provider, label }
}

fn grant(privilege: client::Privilege) -> records::Grant {
    let client::Privilege {
        grantor,
        grantee,
        privilege,
        grantable,
    } = privilege;
    records::Grant {
        grantor,
        grantee,
        privilege,
        grantable,
    }
}

fn setting(setting: client::Setting) -> records::DatabaseSetting {
    let client::Setting { role, name, value } = setting;
    records::DatabaseSetting { role, name, value }
}

fn extension(extension: client::Extension) -> records::Extension {
    let client::Extension {
        name,
        version,
        schema,
    } = extension;
    records::Extension {
        name,
        version,
        schema,
    }
}
