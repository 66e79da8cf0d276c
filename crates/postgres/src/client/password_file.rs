//! libpq's password file, `~/.pgpass`.
//!
//! Source of the rules: `passwordFromFile` and `pwdfMatchesString` in
//! src/interfaces/libpq/fe-connect.c.
//!
//! Invariant: a file that anyone but its owner can read is left aside, unless a
//! container's runtime put it there, and the contents are wiped after use.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// What was looked for.
pub(super) struct Entry<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// Who answers for a file's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Its owner, who alone may have access.
    OwnerAlone,
    /// The container's runtime, which mounts secrets as it likes.
    Runtime,
}

/// What a password file gave.
pub(super) enum Answer {
    /// No file, or no line that fits.
    Nothing,
    /// Group or others have access to the file: it was not read.
    Ignored,
    /// The password of the first line that fits.
    Password(Zeroizing<String>),
}

pub(super) fn look_up(path: &Path, guard: Guard, wanted: &Entry<'_>) -> Answer {
    let Ok(metadata) = fs::metadata(path) else {
        return Answer::Nothing;
    };
    if !metadata.is_file() {
        return Answer::Nothing;
    }
    if guard == Guard::OwnerAlone && metadata.mode() & 0o077 != 0 {
        return Answer::Ignored;
    }
    let Ok(contents) = fs::read(path).map(Zeroizing::new) else {
        return Answer::Nothing;
    };
    // A line that is no text does not hide the others.
    contents
        .split(|&byte| byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| password_of(line, wanted))
        .filter(|password| !password.is_empty())
        .map_or(Answer::Nothing, Answer::Password)
}

fn password_of(line: &str, wanted: &Entry<'_>) -> Option<Zeroizing<String>> {
    let port = wanted.port.to_string();
    let mut rest = line;
    for field in [wanted.host, &port, wanted.database, wanted.user] {
        rest = after_match(rest, field)?;
    }
    // The password is the rest of the line, unescaped; libpq stops at a colon
    // that is not escaped.
    let mut password = Zeroizing::new(String::with_capacity(rest.len()));
    let mut characters = rest.chars();
    while let Some(c) = characters.next() {
        match c {
            ':' => break,
            '\\' => password.extend(characters.next()),
            c => password.push(c),
        }
    }
    Some(password)
}

/// The rest of the line after its first field, where that field is `*` or,
/// unescaped, `wanted`.
fn after_match<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut wanted = wanted.chars();
    let mut characters = line.chars();
    loop {
        let expected = match characters.next()? {
            ':' => {
                return wanted.next().is_none().then_some(characters.as_str());
            }
            '\\' => characters.next()?,
            c => c,
        };
        if wanted.next() != Some(expected) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    const WANTED: Entry<'static> = Entry {
        host: "db",
        port: 5432,
        database: "app",
        user: "me",
    };

    fn found(line: &str) -> Option<String> {
        password_of(line, &WANTED).map(|password| password.to_string())
    }

    fn escaped(field: &str) -> String {
        field.replace('\\', r"\\").replace(':', r"\:")
    }

    #[test]
    fn a_line_fits_when_all_its_fields_do() {
        assert_eq!(found("db:5432:app:me:secret").unwrap(), "secret");
        assert_eq!(found("*:*:*:*:secret").unwrap(), "secret");
        assert_eq!(found("d\\b:5432:app:me:secret").unwrap(), "secret");
        for line in [
            "",
            "db:5432:app:me",
            "db2:5432:app:me:secret",
            "d:5432:app:me:secret",
            "db:5433:app:me:secret",
            "db:5432:*x:me:secret",
            "db:5432:app:you:secret",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn the_first_line_that_fits_counts_and_comments_do_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = b"#db:5432:app:me:commented\n*:*:*:*:\xff\nother:*:*:*:no\ndb:*:app:*:yes\n*:*:*:*:late\n";
        fs::write(file.path(), lines).unwrap();
        let Answer::Password(password) = look_up(file.path(), Guard::OwnerAlone, &WANTED) else {
            panic!("no password");
        };
        assert_eq!(*password, "yes");
    }

    #[test]
    fn a_file_that_others_may_read_is_left_aside() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "*:*:*:*:secret\n").unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(
                look_up(file.path(), Guard::OwnerAlone, &WANTED),
                Answer::Ignored
            ));
            assert!(matches!(
                look_up(file.path(), Guard::Runtime, &WANTED),
                Answer::Password(_)
            ));
        }
    }

    #[test]
    fn no_file_is_no_password() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("pgpass");
        assert!(matches!(
            look_up(&missing, Guard::OwnerAlone, &WANTED),
            Answer::Nothing
        ));
        assert!(matches!(
            look_up(directory.path(), Guard::OwnerAlone, &WANTED),
            Answer::Nothing
        ));
    }

    proptest! {
        #[test]
        fn any_name_and_password_can_be_written_with_escapes(
            host in "[^\0\r\n]{1,12}", database in "[^\0\r\n]{1,12}",
            user in "[^\0\r\n]{1,12}", secret in "[^\0\r\n]{1,12}", port: u16
        ) {
            let line = format!(
                "{}:{port}:{}:{}:{}",
                escaped(&host), escaped(&database), escaped(&user), escaped(&secret)
            );
            let wanted = Entry { host: &host, port, database: &database, user: &user };
            let password = password_of(&line, &wanted).unwrap();
            prop_assert_eq!(password.as_str(), secret);
        }

        #[test]
        fn no_line_is_a_panic(line in "\\PC{0,40}") {
            let _ = password_of(&line, &WANTED);
        }
    }
}
