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
    assert_eq!(
        parse("postgres://:@").unwrap(),
        ConnectionParameters::default()
    );
    let parameters = parse("postgres:///app").unwrap();
    assert_eq!(parameters.database(), "app");
    assert!(parameters.hosts.is_empty());
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
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    for text in ["hots=x", "postgres://h/d?hots=x"] {
        let error = parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"connection parameter "hots" is not known"#
        );
        assert_eq!(error.hint().unwrap(), "did you mean 'host'");
    }
}

#[test]
fn a_key_that_asks_for_what_is_not_done_is_refused_and_never_left_out() {
    for text in [
        "sslcrl=/x",
        "sslcrldir=/x",
        "sslpassword=hunter2",
        "sslcertmode=require",
        "sslnegotiation=direct",
        "sslcompression=1",
        "ssl_max_protocol_version=TLSv1.1",
        "requirepeer=postgres",
        "require_auth=scram-sha-256",
        "gssencmode=require",
        "gssdelegation=1",
        "krbsrvname=postgres",
        "replication=database",
        "client_encoding=LATIN1",
        "min_protocol_version=3.2",
        "scram_client_key=hunter2",
        "oauth_client_secret=hunter2",
        "host=@abstract",
    ] {
        let error = parse(text).unwrap_err();
        let key = text.split('=').next().unwrap();
        assert!(
            matches!(&error, ConnectionStringError::NotDone { key: named, .. } if named == key),
            "{text}: {error}"
        );
        let told = format!("{error} {error:?} {:?}", error.hint());
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_key_that_asks_for_what_is_done_anyway_is_accepted() {
    let text = "sslnegotiation=postgres sslcompression=0 gssencmode=prefer gssdelegation=0 \
                replication=false client_encoding=utf8 min_protocol_version=3.0 \
                max_protocol_version=latest ssl_min_protocol_version=TLSv1 sslcrl='' \
                sslcertmode=allow sslsni=1 keepalives=1 load_balance_hosts=disable \
                target_session_attrs=any channel_binding=prefer";
    parse(text).unwrap();
}

#[test]
fn values_that_a_key_does_not_take_are_refused() {
    for text in [
        "port=0",
        "port=65536",
        "port=x",
        "hostaddr=example.org",
        "sslmode=yes",
        "sslmode=''",
        "port=1,x",
        "target_session_attrs=master",
        "load_balance_hosts=yes",
        "channel_binding=sometimes",
        "sslsni=yes",
        "keepalives_idle=soon",
        "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
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
fn hosts_addresses_and_ports_may_be_lists_that_fit_each_other() {
    let told = |text: &str| parse(text).unwrap().describe();
    for (text, expected) in [
        ("host=a,b user=u dbname=d", "postgres://u@a:5432,b:5432/d"),
        (
            "host=a,b port=1,2 user=u dbname=d",
            "postgres://u@a:1,b:2/d",
        ),
        ("host=a,b port=1 user=u dbname=d", "postgres://u@a:1,b:1/d"),
        (
            "host=a,b port=,2 user=u dbname=d",
            "postgres://u@a:5432,b:2/d",
        ),
        (
            "postgres://u@a:1,b,[::1]:3/d",
            "postgres://u@a:1,b:5432,[::1]:3/d",
        ),
        (
            "hostaddr=::1,::2 user=u dbname=d",
            "postgres://u@[::1]:5432,[::2]:5432/d",
        ),
    ] {
        assert_eq!(told(text), expected);
    }
    for text in [
        "host=a,b hostaddr=::1",
        "host=a,b port=1,2,3",
        "host=a port=1,2",
        "hostaddr=::1,::2 port=1,2,3",
        "postgres://a:1,b:2/d?host=c",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ConnectionStringError::Lists { .. }),
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
