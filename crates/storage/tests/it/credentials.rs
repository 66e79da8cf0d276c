//! Where the keys to a bucket come from, in which order, and what is refused.
//!
//! Invariant: only the surroundings that are handed in are looked at.

use std::path::Path;

use pgkeep_storage::s3::{Credentials, S3Address, S3Settings, Secret, SettingsError};
use pgkeep_types::Environment;
use tempfile::TempDir;

const CREDENTIALS: &str = "\
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = default-secret

# another one
[backup]
aws_access_key_id=BACKUP
aws_secret_access_key=backup-secret
aws_session_token=backup-token
[assumes]
aws_access_key_id=BASE
aws_secret_access_key=base-secret
";
const CONFIG: &str = "\
[default]
region = eu-north-1
[profile backup]
region = eu-west-3
output = json
s3 =
    max_concurrent_requests = 20
    region = not-this-one
[profile assumes]
role_arn = arn:aws:iam::1:role/x
source_profile = backup
[profile sso]
sso_session = corp
";

struct Home(TempDir);

impl Home {
    fn with_profiles() -> Self {
        let home = tempfile::tempdir().unwrap();
        let aws = home.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(aws.join("credentials"), CREDENTIALS).unwrap();
        std::fs::write(aws.join("config"), CONFIG).unwrap();
        Self(home)
    }

    fn environment(&self) -> Environment {
        Environment::new("/").with_home(self.0.path())
    }

    fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn resolve(url: &str, environment: &Environment) -> Result<S3Settings, SettingsError> {
    S3Settings::resolve(&S3Address::parse(url)?, environment)
}

fn with_keys(environment: Environment) -> Environment {
    environment
        .with_variable("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        .with_variable("AWS_SECRET_ACCESS_KEY", "environment-secret")
}

fn keys(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::Static {
        id: id.to_owned(),
        secret: Secret::new(secret),
        token: token.map(Secret::new),
    }
}

#[test]
fn the_environment_goes_before_the_profiles_but_for_one_that_the_address_names() {
    let home = Home::with_profiles();
    let environment = with_keys(home.environment()).with_variable("AWS_PROFILE", "backup");
    let settings = resolve("s3://b", &environment).unwrap();
    let expected = keys("ENVIRONMENT", "environment-secret", None);
    assert_eq!(settings.credentials, expected);
    let settings = resolve("s3://b?profile=backup", &environment).unwrap();
    let expected = keys("BACKUP", "backup-secret", Some("backup-token"));
    assert_eq!(settings.credentials, expected);
    assert_eq!(settings.region, "eu-west-3");
}

#[test]
fn a_profile_is_read_from_both_files() {
    let home = Home::with_profiles();
    let settings = resolve("s3://b", &home.environment()).unwrap();
    let expected = keys("DEFAULT", "default-secret", None);
    assert_eq!(settings.credentials, expected);
    assert_eq!(settings.region, "eu-north-1");
    assert_eq!(settings.endpoint, "https://s3.eu-north-1.amazonaws.com");
    assert!(!settings.path_style);
    // The address goes before the environment, the environment before the profile.
    let environment = home.environment().with_variable("AWS_REGION", "sa-east-1");
    let settings = resolve("s3://b", &environment).unwrap();
    assert_eq!(settings.region, "sa-east-1");
    let settings = resolve("s3://b?region=ap-south-1", &environment).unwrap();
    assert_eq!(settings.region, "ap-south-1");
}

#[test]
fn a_profile_that_needs_more_is_refused_by_name() {
    let home = Home::with_profiles();
    for (profile, needs) in [("assumes", "role_arn"), ("sso", "sso_session")] {
        let environment = home.environment().with_variable("AWS_PROFILE", profile);
        let error = resolve("s3://b", &environment).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(profile) && text.contains(needs), "{text}");
    }
    let environment = home.environment().with_variable("AWS_PROFILE", "nobody");
    let error = resolve("s3://b", &environment).unwrap_err();
    assert!(error.to_string().contains("no profile 'nobody'"), "{error}");
    assert!(error.to_string().contains(".aws/credentials"), "{error}");
}

#[test]
fn a_value_may_come_from_a_file() {
    let home = Home::with_profiles();
    let id = home.file("id", "FILE\n");
    let secret = home.file("secret", "file-secret\n");
    let environment = home
        .environment()
        .with_variable("AWS_ACCESS_KEY_ID_FILE", id)
        .with_variable("AWS_SECRET_ACCESS_KEY_FILE", secret);
    let settings = resolve("s3://b", &environment).unwrap();
    assert_eq!(settings.credentials, keys("FILE", "file-secret", None));
    let missing = environment.with_variable("AWS_SECRET_ACCESS_KEY_FILE", "/no/such/file");
    let error = resolve("s3://b", &missing).unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[test]
fn half_of_a_pair_is_an_error_and_not_passed_over() {
    let home = Home::with_profiles();
    let environment = home
        .environment()
        .with_variable("AWS_ACCESS_KEY_ID", "HALF");
    let error = resolve("s3://b", &environment).unwrap_err();
    assert!(
        error.to_string().contains("AWS_SECRET_ACCESS_KEY is not"),
        "{error}"
    );
}

#[test]
fn without_keys_a_role_is_taken() {
    let nothing = Environment::new("/home/app");
    let credentials =
        |environment: &Environment| resolve("s3://b", environment).unwrap().credentials;
    assert_eq!(
        credentials(&nothing),
        Credentials::Instance { endpoint: None }
    );
    let task = nothing
        .clone()
        .with_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
    let relative_uri = "/v2/x".to_owned();
    assert_eq!(credentials(&task), Credentials::Task { relative_uri });
    let web = task
        .with_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
        .with_variable("AWS_ROLE_ARN", "arn");
    let expected = Credentials::WebIdentity {
        token_file: Path::new("/home/app/token").to_owned(),
        role: "arn".to_owned(),
        session: None,
        endpoint: None,
    };
    assert_eq!(credentials(&web), expected);
    let pod = nothing.with_variable(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://169.254.170.23/x",
    );
    assert!(resolve("s3://b", &pod).is_err());
}

#[test]
fn a_server_and_a_proxy_may_come_from_the_environment() {
    let environment = with_keys(Environment::new("/"))
        .with_variable("AWS_ENDPOINT_URL", "https://s3.example/")
        .with_variable("https_proxy", "http://user:hunter2@proxy:3128")
        .with_variable("NO_PROXY", "internal.example");
    let settings = resolve("s3://b", &environment).unwrap();
    assert_eq!(settings.endpoint, "https://s3.example");
    assert!(settings.path_style);
    let proxy = settings.proxy.as_ref().unwrap();
    assert_eq!(proxy.url.expose(), "http://user:hunter2@proxy:3128");
    assert_eq!(proxy.except.as_deref(), Some("internal.example"));
    assert_eq!(settings.location, "s3://b?endpoint=https://s3.example");
    let plain = environment.with_variable("AWS_ENDPOINT_URL_S3", "http://s3.example");
    let error = resolve("s3://b", &plain).unwrap_err();
    assert!(error.to_string().contains("allow_http"), "{error}");
    assert!(
        resolve("s3://b?allow_http=true", &plain)
            .unwrap()
            .proxy
            .is_none()
    );
}

#[test]
fn nothing_that_is_secret_is_printed() {
    let home = Home::with_profiles();
    let environment = home
        .environment()
        .with_variable("HTTPS_PROXY", "http://user:hunter2@proxy:3128")
        .with_variable("AWS_PROFILE", "backup");
    let settings = resolve("s3://b", &environment).unwrap();
    let text = format!("{settings:?}");
    for secret in ["backup-secret", "backup-token", "hunter2"] {
        assert!(!text.contains(secret), "{text}");
    }
}
