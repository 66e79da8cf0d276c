//! The rules of both notations, as libpq has them, and what a mistyped one shows.

use proptest::prelude::*;

use super::*;
use crate::client::SslMode;

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn password(parameters: &ConnectionParameters) -> &str {
    parameters.password().map_or("", |password| password)
}

#[test]
fn an_address_has_user_password_host_port_database_and_more() {
    let parameters =
        parse("postgresql://me:p%40ss@db.internal:6432/app?sslmode=require&connect_timeout=7")
            .unwrap();
    assert_eq!(parameters.user(), "me");
    assert_eq!(password(&parameters), "p@ss");
    assert_eq!(parameters.host(), "db.internal");
    assert_eq!(parameters.port(), 6432);
    assert_eq!(parameters.database(), "app");
    assert_eq!(parameters.ssl_mode(), SslMode::Require);
    assert_eq!(parameters.connect_timeout, Some(7));
    assert_eq!(parameters.describe(), "postgres://me@db.internal:6432/app");
}

#[test]
fn every_part_of_an_address_may_be_left_out() {
    assert_eq!(
        parse("postgres://").unwrap(),
        ConnectionParameters::default()
    );
    let parameters = parse("postgres:///app").unwrap();
    assert_eq!((parameters.database(), &parameters.host), ("app", &None));
    let parameters = parse("postgres://db?user=me&dbname=x").unwrap();
    assert_eq!((parameters.host(), parameters.user()), ("db", "me"));
    assert_eq!(parameters.database(), "x");
    assert_eq!(parse("postgres://me@").unwrap().database(), "me");
}

#[test]
fn a_host_may_be_an_ipv6_address() {
    let parameters = parse("postgres://me@[2001:db8::1]:5433/app").unwrap();
    assert_eq!(
        (parameters.host(), parameters.port()),
        ("2001:db8::1", 5433)
    );
    assert_eq!(
        parameters.describe(),
        "postgres://me@[2001:db8::1]:5433/app"
    );
    let error = parse("postgres://[::1/app").unwrap_err();
    assert_eq!(error, ConnectionStringError::UnclosedBracket);
    for text in [
        "postgres://::1/app",
        "postgres://[]/app",
        "postgres://[::1]x/app",
    ] {
        assert_eq!(parse(text).unwrap_err(), ConnectionStringError::BadAddress);
    }
}

#[test]
fn a_host_may_be_the_directory_of_a_socket() {
    for text in [
        "postgres://me@%2Frun%2Fpg/app",
        "postgres:///app?host=/run/pg&user=me",
        "host=/run/pg user=me dbname=app",
    ] {
        let parameters = parse(text).unwrap();
        let directory = parameters.socket_directory().unwrap();
        assert_eq!(directory, std::path::Path::new("/run/pg"));
        assert_eq!(parameters.describe(), "postgres://me@/run/pg:5432/app");
    }
}

#[test]
fn pairs_may_have_white_space_and_quotes() {
    let parameters =
        parse(r"host = h  port=1 user='a b' password='it\'s \\ ' dbname=x\ y").unwrap();
    assert_eq!(parameters.user(), "a b");
    assert_eq!(password(&parameters), r"it's \ ");
    assert_eq!((parameters.database(), parameters.port()), ("x y", 1));
    assert_eq!(parse("  ").unwrap(), ConnectionParameters::default());
    assert_eq!(parse("host=''").unwrap(), ConnectionParameters::default());
}

#[test]
fn an_unknown_key_is_named() {
    for text in ["hots=x", "postgres://h/d?hots=x"] {
        let error = parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"connection parameter "hots" is not known"#
        );
        assert!(error.hint().unwrap().contains("hostaddr"));
    }
}

#[test]
fn values_that_a_key_does_not_take_are_refused() {
    for text in [
        "port=0",
        "port=65536",
        "port=x",
        "hostaddr=example.org",
        "sslmode=yes",
        "connect_timeout=soon",
        "postgres://h:65536/",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ConnectionStringError::BadValue { .. }),
            "{text}"
        );
    }
}

#[test]
fn one_connection_is_one_server() {
    for text in [
        "host=a,b",
        "port=1,2",
        "hostaddr=::1,::2",
        "postgres://a,b/d",
        "postgres://a:1,b:2/d",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ConnectionStringError::SeveralServers { .. }),
            "{text}"
        );
    }
}

#[test]
fn texts_that_are_cut_off_are_refused() {
    for text in [
        "host",
        "password='abc",
        "postgres://h/d?host",
        "postgres://a%2",
        "postgres://a%zz",
        "postgres://a%00",
        "postgres://%ff",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_value_survives_in_quotes(
        database in "[^\0]{1,20}", secret in "[^\0]{1,20}", user in "[^\0]{1,20}"
    ) {
        let text = format!(
            "dbname={} password = {} user={}",
            quoted(&database), quoted(&secret), quoted(&user)
        );
        let parameters = parse(&text).unwrap();
        prop_assert_eq!(parameters.database(), database);
        prop_assert_eq!(password(&parameters), secret);
        prop_assert_eq!(parameters.user(), user);
    }

    #[test]
    fn any_value_survives_in_an_address(
        database in "[^\0]{1,20}", secret in "[^\0]{1,20}", user in "[^\0]{1,20}"
    ) {
        let text = format!(
            "postgres://{}:{}@h/{}",
            encoded(&user), encoded(&secret), encoded(&database)
        );
        let parameters = parse(&text).unwrap();
        prop_assert_eq!(parameters.database(), database);
        prop_assert_eq!(password(&parameters), secret);
        prop_assert_eq!(parameters.user(), user);
    }

    #[test]
    fn no_text_is_a_panic(text in "(postgres://)?\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_password_is_never_shown_however_it_was_mistyped(
        first in "[a-z]{8}|[0-9]{8}", special in "[@/:?#%'\\\\ \\[&=]", second in "[a-z]{8}"
    ) {
        let secret = format!("{first}{special}{second}");
        for text in [
            format!("postgres://me:{secret}@h:1/d"),
            format!("password={secret}"),
            format!("password='{secret}' user=me"),
        ] {
            let shown = match parse(&text) {
                Ok(parameters) => format!("{parameters} {parameters:?}"),
                // A key is named, and after a space or "&" it may be half
                // of a password that was not quoted.
                Err(ConnectionStringError::UnknownKey { .. }) => continue,
                Err(error) => format!("{error} {error:?} {:?}", error.hint()),
            };
            prop_assert!(!shown.contains(&first), "{} from {}", shown, text);
            prop_assert!(!shown.contains(&second), "{} from {}", shown, text);
        }
    }
}
