//! The ways to a bucket: TLS with an authority of one's own, proxies, and those who
//! give credentials.
//!
//! Invariant: the services beside the bucket are played by a few scripted answers;
//! what they are asked, they tell.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use pgkeep_storage::s3::{Credentials, ProxySettings, S3Address, S3Settings, Secret};
use pgkeep_storage::{S3Storage, Storage, StorageErrorKind};
use pgkeep_testkit::cluster::Authority;
use pgkeep_testkit::s3::{Moto, S3s};
use pgkeep_types::{Environment, ObjectName};

fn object() -> ObjectName {
    "some/object".parse().unwrap()
}

async fn works(settings: &S3Settings) {
    let storage = S3Storage::new(settings).unwrap();
    let bytes = Bytes::from_static(b"content");
    storage.put(&object(), bytes.clone()).await.unwrap();
    assert_eq!(storage.get(&object(), None).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_certificate_is_verified_by_the_authority_that_was_named() {
    let authority = Authority::new();
    let server = Moto::start_with_tls(&authority.issue("moto", &["127.0.0.1"]));
    assert!(server.access().endpoint.starts_with("https://"));
    let mut settings = server.access().settings("");
    settings.ca = Some(authority.root());
    works(&settings).await;

    let stranger = Authority::new();
    for ca in [Some(stranger.root()), None] {
        settings.ca = ca;
        let storage = S3Storage::new(&settings).unwrap();
        let error = storage.get(&object(), None).await.unwrap_err();
        // The same every time: it is told at once.
        assert_eq!(error.kind, StorageErrorKind::Other, "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    settings.ca = Some("/no/such/authorities.pem".into());
    let error = S3Storage::new(&settings).unwrap_err();
    assert!(error.to_string().contains("authorities.pem"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = Moto::start_with_tls(&authority.issue("moto", &["elsewhere.example"]));
    let mut settings = server.access().settings("");
    settings.ca = Some(authority.root());
    let storage = S3Storage::new(&settings).unwrap();
    let error = storage.get(&object(), None).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Other, "{error}");
}

#[tokio::test]
async fn a_proxy_is_gone_through_but_for_the_hosts_that_are_excepted() {
    let proxy = Scripted::start(|_, _| ok("ETag: \"x\"\r\n", ""));
    let through = |except: Option<&str>| {
        let url = Secret::new(proxy.url());
        let except = except.map(str::to_owned);
        Some(ProxySettings { url, except })
    };
    let mut settings = S3s::start().access().settings("");
    settings.endpoint = "http://s3.invalid".to_owned();
    settings.proxy = through(None);
    let storage = S3Storage::new(&settings).unwrap();
    storage.put(&object(), Bytes::new()).await.unwrap();
    let asked = proxy.asked();
    assert_eq!(asked, ["PUT http://s3.invalid/backups/some/object"]);

    let server = S3s::start();
    let mut settings = server.access().settings("");
    settings.proxy = through(Some("127.0.0.1"));
    works(&settings).await;
    assert_eq!(proxy.asked(), asked);
}

/// What `sts` and the metadata service give, as JSON and as XML.
fn json(access: &pgkeep_testkit::s3::S3Access) -> String {
    format!(
        "{{\"Code\":\"Success\",\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\
         \"Token\":\"token\",\"Expiration\":\"2100-01-01T00:00:00Z\"}}",
        access.id, access.secret
    )
}

#[tokio::test]
async fn an_instances_role_gives_the_keys() {
    let server = S3s::start();
    let body = json(server.access());
    let service = Scripted::start(move |method, path| match (method, path) {
        ("PUT", "/latest/api/token") => ok("", "session"),
        ("GET", "/latest/meta-data/iam/security-credentials/") => ok("", "role"),
        ("GET", "/latest/meta-data/iam/security-credentials/role") => ok("", &body),
        _ => "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n".to_owned(),
    });
    let mut settings = server.access().settings("");
    let endpoint = Some(service.url());
    settings.credentials = Credentials::Instance { endpoint };
    works(&settings).await;
    assert_eq!(service.asked().len(), 3);
}

#[tokio::test]
async fn a_token_is_exchanged_for_the_keys() {
    let server = S3s::start();
    let (id, secret) = (&server.access().id, &server.access().secret);
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    let service = Scripted::start(move |_, _| ok("", &body));
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, "hunter2").unwrap();
    let mut settings = server.access().settings("");
    settings.credentials = Credentials::WebIdentity {
        token_file,
        role: "arn:aws:iam::1:role/x".to_owned(),
        session: Some("pgkeep".to_owned()),
        endpoint: Some(service.url()),
    };
    works(&settings).await;
    let asked = service.asked().join("\n");
    assert!(
        asked.contains("Action=AssumeRoleWithWebIdentity"),
        "{asked}"
    );
    assert!(asked.contains("WebIdentityToken=hunter2"), "{asked}");
}

#[tokio::test]
async fn who_gives_credentials_and_refuses_is_told_without_the_token() {
    let refusal = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>\
                   <Message>no such provider</Message></Error></ErrorResponse>";
    let service = Scripted::start(move |_, _| {
        let length = refusal.len();
        format!("HTTP/1.1 400 \r\nContent-Length: {length}\r\n\r\n{refusal}")
    });
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "hunter2").unwrap();
    let mut environment = Environment::new("/")
        .with_variable("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .with_variable("AWS_ROLE_ARN", "arn")
        .with_variable("AWS_ENDPOINT_URL_STS", service.url());
    let fails = async |environment: &Environment| {
        let address = S3Address::parse("s3://b?endpoint=https://s3.invalid").unwrap();
        let settings = S3Settings::resolve(&address, environment).unwrap();
        let storage = S3Storage::new(&settings).unwrap();
        storage.get(&object(), None).await.unwrap_err()
    };
    let error = fails(&environment).await;
    assert_eq!(error.kind, StorageErrorKind::Denied, "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("no credentials: HTTP status 400 InvalidIdentityToken"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    // Nor is the token sent where others can read it.
    environment = environment.with_variable("AWS_ENDPOINT_URL_STS", "http://sts.invalid");
    let error = fails(&environment).await;
    assert!(error.to_string().contains("without TLS"), "{error}");
}

fn ok(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 \r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

/// A service that answers by a script, and remembers what it was asked.
struct Scripted {
    address: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn start(script: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (told, script) = (Arc::clone(&asked), Arc::new(script));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (told, script) = (Arc::clone(&told), Arc::clone(&script));
                std::thread::spawn(move || {
                    // One who hangs up wants no answer.
                    let _ = Self::serve(&connection, &told, script.as_ref());
                });
            }
        });
        Self { address, asked }
    }

    fn serve(
        mut connection: &TcpStream,
        told: &Mutex<Vec<String>>,
        script: &dyn Fn(&str, &str) -> String,
    ) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.is_empty() {
                    break;
                }
            }
            std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
            let mut words = first.split(' ');
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            told.lock().unwrap().push(format!("{method} {path}"));
            connection.write_all(script(method, path).as_bytes())?;
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
