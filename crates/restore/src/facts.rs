//! Facts of a database, from the repository's words into PostgreSQL's.
//!
//! Invariant: nothing is left out; a new field on either side does not compile
//! until it has its place here.

use pgkeep_format::records;
use pgkeep_postgres::client::{self, ServerVersion};

/// What PostgreSQL is told of the database that is to be made.
pub(crate) fn properties(facts: records::DatabaseFacts) -> client::DatabaseFacts {
    let records::DatabaseFacts {
        name,
        owner,
        encoding,
        locale_provider,
        collate,
        ctype,
        locale,
        icu_rules,
        collation_version,
        tablespace,
        connection_limit,
        is_template,
        allows_connections,
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
        size,
    } = facts;
    client::DatabaseFacts {
        name,
        owner,
        encoding,
        locale: client::Locale {
            provider: provider(locale_provider),
            collate,
            ctype,
            locale,
            icu_rules,
            collation_version,
        },
        tablespace,
        connection_limit,
        is_template,
        allow_connections: allows_connections,
        comment,
        security_labels: security_labels.into_iter().map(label).collect(),
        privileges: privileges.map(|list| list.into_iter().map(privilege).collect()),
        settings: settings.into_iter().map(setting).collect(),
        roles,
        extensions: extensions.into_iter().map(extension).collect(),
        schemas,
        tablespaces,
        objects,
        not_dumped,
        tables,
        size_bytes: size,
        // Of where it came from, not of what it is.
        server_version: ServerVersion { number: 0 },
        system_id: None,
    }
}

fn provider(provider: records::LocaleProvider) -> client::LocaleProvider {
    match provider {
        records::LocaleProvider::Libc => client::LocaleProvider::Libc,
        records::LocaleProvider::Icu => client::LocaleProvider::Icu,
        records::LocaleProvider::Builtin => client::LocaleProvider::Builtin,
    }
}

fn label(label: records::SecurityLabel) -> client::SecurityLabel {
    let records::SecurityLabel { provider, label } = label;
    client::SecurityLabel { provider, label }
}

fn privilege(grant: records::Grant) -> client::Privilege {
    let records::Grant {
        grantor,
        grantee,
        privilege,
        grantable,
    } = grant;
    client::Privilege {
        grantor,
        grantee,
        privilege,
        grantable,
    }
}

fn setting(setting: records::DatabaseSetting) -> client::Setting {
    let records::DatabaseSetting { role, name, value } = setting;
    client::Setting { role, name, value }
}

fn extension(extension: records::Extension) -> client::Extension {
    let records::Extension {
        name,
        version,
        schema,
    } = extension;
    client::Extension {
        name,
        version,
        schema,
    }
}
