//! `pgkeep init`: a repository, its keys, and a configuration that names them.
//!
//! Invariants: nothing that exists is touched; the keys are durable before the
//! repository is made, so that none is ever sealed to a key that was lost; a
//! repository that could not be made leaves no keys behind.

mod around;
mod configuration;
mod connection;
mod dialogue;
mod like;
mod making;
mod next;
mod place;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pgkeep_config::{
    ConfigError, EncryptionMode, FILE_NAME, Origin, Settings, StorageText, repository_in,
    storage_text,
};
use pgkeep_format::{HostKey, Passphrase, Recipient, RecoveryIdentity, RecoveryKeyFile, Trust};
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_repository::NewRepository;
use pgkeep_types::{Clock, ClusterName, Random};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::arguments::{Encryption, Init};
use crate::commands::config::recipient;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::private_file::Drafts;
use crate::{passphrase, process, server_password, storage};
use configuration::configuration;
use place::refuse_occupied;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    repository: &'a str,
    id: String,
    create_only: bool,
    encrypted: bool,
    recipients: &'a [Recipient],
    recovery_key_file: Option<&'a Path>,
    passphrase: bool,
    host_key_file: &'a Path,
    config: &'a Path,
}

/// What is to be made, and where.
struct Plan {
    repository: StorageText,
    repository_name: String,
    config: PathBuf,
    /// What the cluster is called.
    cluster: ClusterName,
    /// Whether there is a configuration that stays as it is.
    configured: bool,
    host_key: PathBuf,
    /// Where a new recovery key is written; the owner's, where nothing is sealed.
    recovery_key: Option<PathBuf>,
    /// Whether a new recovery key goes into the repository, under a passphrase.
    passphrase: bool,
    encrypted: bool,
    recipients: Vec<Recipient>,
    /// The variable that has the connection's password, which is not written down.
    password_of: Option<String>,
}

/// Makes it all.
pub(crate) async fn run(arguments: &Init, context: &Context) -> Result<Exit, CliError> {
    refuse_password(arguments)?;
    let settings = settings(context)?;
    if let Some(like) = &arguments.like {
        return like::run(arguments, context, like).await;
    }
    let config = config(context, settings.as_ref());
    let asks = settings.is_none() && dialogue::is_wanted(arguments, context);
    let known = match settings {
        Some(_) => None,
        None => connection::known(arguments, context)?,
    };
    let mut filled = match asks {
        true => dialogue::fill_in(arguments, context, &config, known.as_ref()).await?,
        false => arguments.clone(),
    };
    let password_of = known.and_then(|known| known.write_into(&mut filled));
    let arguments = &filled;
    let mut plan = plan(arguments, context, settings.as_ref(), config)?;
    plan.password_of = password_of;
    let storage = storage::open(
        &plan.repository_name,
        &plan.repository,
        &Origin::Default,
        &context.environment,
        context.output,
    )?;

    let mut seed = Zeroizing::new([0; 32]);
    context.random.fill(seed.as_mut());
    let mut host = HostKey::generate(process::host_name(), &seed);
    // Only where no recipient was named is a recovery key made here.
    let made = (plan.passphrase || plan.recovery_key.is_some()).then(RecoveryIdentity::generate);
    let mut recipients = plan.recipients.clone();
    recipients.extend(
        made.iter()
            .filter(|_| plan.encrypted)
            .map(RecoveryIdentity::recipient),
    );
    recipients.sort();
    recipients.dedup();
    let identity = host.clone();
    let owner = made.as_ref().filter(|_| !plan.encrypted);
    let mut new = NewRepository::draw(&recipients, &identity, &context.random)
        .owned_by(owner.map(RecoveryIdentity::recipient));
    host.pin(new.trust());
    if let (Some(key), true) = (&made, plan.passphrase) {
        let passphrase = new_passphrase(context, asks).await?;
        new.wrap(key, &passphrase, &context.clock).await?;
    }

    let mut files = Drafts::default();
    let today = context.clock.now().strftime("%Y-%m-%d").to_string();
    let trust = new.trust();
    let written = write_keys(&mut files, &plan, made.as_ref(), &host, &trust, &today);
    let written = written.and_then(|()| match plan.configured {
        true => Ok(()),
        false => files.write(&plan.config, &configuration(&plan, arguments, &recipients)),
    });
    if let Err(error) = written {
        return Err(place::explained(error, &plan, settings.as_ref(), storage.as_ref()).await);
    }
    let all = "the repository, its keys and its configuration are made";
    let create_only = making::make(&new, &storage, files, all, context).await?;

    let location = storage.location();
    tell(context, &plan, &trust, &location, create_only);
    context.output.json(&Report {
        version: JSON_VERSION,
        create_only,
        repository: &location,
        id: new.trust().repository.to_string(),
        encrypted: plan.encrypted,
        recipients: &recipients,
        recovery_key_file: plan.recovery_key.as_deref(),
        passphrase: plan.passphrase,
        host_key_file: &plan.host_key,
        config: &plan.config,
    })?;
    Ok(Exit::Done)
}

/// Writes the keys that stay on this machine: the one that was made for readers, and the
/// host's, which has pinned the repository.
fn write_keys(
    files: &mut Drafts,
    plan: &Plan,
    made: Option<&RecoveryIdentity>,
    host: &HostKey,
    trust: &Trust,
    today: &str,
) -> Result<(), CliError> {
    if let (Some(key), Some(path)) = (made, &plan.recovery_key) {
        let text = match plan.encrypted {
            true => RecoveryKeyFile::to_secret_text(key, trust, today),
            false => RecoveryKeyFile::owners_secret_text(key, trust, today),
        };
        files.write(path, &text)?;
    }
    let text = host.to_secret_text().map_err(|source| CliError::KeyFile {
        path: plan.host_key.clone(),
        source,
    })?;
    files.write(&plan.host_key, &text)
}

/// The settings of a configuration that is there.
fn settings(context: &Context) -> Result<Option<Settings>, CliError> {
    match context.settings() {
        Ok(settings) if settings.file.is_some() => Ok(Some(settings)),
        Ok(_) | Err(ConfigError::Missing { .. }) => Ok(None),
        Err(ConfigError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The configuration's file: the one that is there, or that will be.
fn config(context: &Context, settings: Option<&Settings>) -> PathBuf {
    let named = context.config.clone().or_else(|| {
        let variable = context.environment.variable("PGKEEP_CONFIG");
        variable.map(PathBuf::from)
    });
    match settings {
        Some(settings) => settings.file.clone().unwrap_or_default(),
        None => context.path(&named.unwrap_or_else(|| PathBuf::from(FILE_NAME))),
    }
}

/// A passphrase for the recovery key; whoever was asked for all the rest is asked until
/// it is one.
async fn new_passphrase(context: &Context, asks: bool) -> Result<Passphrase, CliError> {
    loop {
        match passphrase::new(context, None).await {
            Err(error @ CliError::Usage { .. }) if asks => context.output.failure(&error),
            made => return made,
        }
    }
}

/// Works out where everything goes, and refuses what is there already.
fn plan(
    arguments: &Init,
    context: &Context,
    settings: Option<&Settings>,
    config: PathBuf,
) -> Result<Plan, CliError> {
    let here = context.environment.working_directory();
    let beside = config.parent().unwrap_or(here).to_owned();
    let (repository_name, repository) = place(arguments, context, settings)?;
    let configured = settings.map(|settings| &settings.encryption);
    let encrypted = match (arguments.encryption, configured.map(|e| e.mode)) {
        (Some(Encryption::None), _) | (_, Some(EncryptionMode::None)) => false,
        (Some(Encryption::Age) | None, _) => true,
    };
    let of_file = configured.map(|e| e.recipients.clone()).unwrap_or_default();
    let recipients = match arguments.recipients.as_slice() {
        [] => of_file,
        given => given.to_vec(),
    };
    if !encrypted && !recipients.is_empty() {
        return Err(CliError::Usage {
            problem: "recipients were given for a repository that is not encrypted".to_owned(),
            hint: "leave one of the two out".to_owned(),
        });
    }
    let parse = |text: &String| {
        text.parse::<Recipient>().map_err(|_| CliError::Usage {
            problem: format!("{} is no age recipient", recipient(text)),
            hint: "one begins with age1; 'age-keygen' prints it".to_owned(),
        })
    };
    let host_key = configured.and_then(|e| e.host_key_file.clone());
    let mut plan = Plan {
        repository,
        repository_name,
        configured: settings.is_some(),
        host_key: host_key.unwrap_or_else(|| beside.join("host.key")),
        recovery_key: recovery_key(arguments, context, encrypted, &recipients, &beside)?,
        passphrase: arguments.passphrase,
        config,
        cluster: arguments.cluster.clone().unwrap_or_default(),
        encrypted,
        recipients: recipients.iter().map(parse).collect::<Result<_, _>>()?,
        password_of: None,
    };
    plan.recipients.sort();
    plan.recipients.dedup();
    refuse_occupied(&plan.repository)?;
    Ok(plan)
}

/// Where a key that is made here is written; nowhere, where others hold the keys or a
/// passphrase does.
fn recovery_key(
    arguments: &Init,
    context: &Context,
    encrypted: bool,
    recipients: &[String],
    beside: &Path,
) -> Result<Option<PathBuf>, CliError> {
    if let Some(file) = &arguments.recovery_key_file {
        if !recipients.is_empty() && !arguments.passphrase {
            return Err(CliError::Usage {
                problem: "a file for a recovery key was named, and recipients that have one"
                    .to_owned(),
                hint: "leave one of the two out".to_owned(),
            });
        }
        return Ok(Some(context.path(file)));
    }
    let elsewhere = arguments.passphrase || !recipients.is_empty();
    let name = match encrypted {
        true => "recovery.key",
        false => "owner.key",
    };
    Ok((!elsewhere).then(|| beside.join(name)))
}

/// Where the repository goes, and what the configuration calls it.
fn place(
    arguments: &Init,
    context: &Context,
    settings: Option<&Settings>,
) -> Result<(String, StorageText), CliError> {
    let here = context.environment.working_directory();
    let named = |url: &str| -> Result<(String, StorageText), CliError> {
        let local = "local".to_owned();
        match storage_text(&local, url, here)? {
            StorageText::Directory(path) => {
                Ok((local, StorageText::Directory(storage::direct(&path))))
            }
            storage @ StorageText::Url(_) => Ok(("bucket".to_owned(), storage)),
        }
    };
    if let Some(url) = &arguments.repository {
        return named(url);
    }
    if let Some(settings) = settings {
        let mut all = settings.repositories.iter();
        return match (all.next(), all.next()) {
            (Some((name, repository)), None) => Ok((name.clone(), repository.storage.clone())),
            _ => Err(CliError::Usage {
                problem: "several repositories are configured".to_owned(),
                hint: "name the one to make with --repository".to_owned(),
            }),
        };
    }
    if let Some(url) = repository_in(&context.environment)? {
        return named(&url);
    }
    Err(CliError::Usage {
        problem: "where is the repository to be".to_owned(),
        hint: "give --repository DIRECTORY, best on another disk than the database's, \
               or s3://BUCKET/PREFIX; on a terminal 'pgkeep init' asks for everything"
            .to_owned(),
    })
}

fn refuse_password(arguments: &Init) -> Result<(), CliError> {
    let Some(text) = &arguments.connection else {
        return Ok(());
    };
    let parsed = ConnectionParameters::parse(text).map_err(|source| {
        let option = "--connection";
        CliError::ConnectionArgument { option, source }
    })?;
    server_password::refuse_as_argument(&parsed)
}

fn tell(context: &Context, plan: &Plan, trust: &Trust, location: &str, create_only: bool) {
    let mut text = format!("Made a repository in {location}");
    text.push_str(if plan.encrypted {
        ", sealed with age.\n"
    } else {
        ", NOT encrypted: whoever has the storage has the data.\n"
    });
    if !create_only {
        text.push_str(
            "\nThe storage replaces what exists, also when it is told not to. Backups have names \
             of their\nown and are safe from each other; see docs/storage.md.\n",
        );
    }
    if plan.passphrase {
        text.push_str(
            "\nThe address and the passphrase restore everything; without the passphrase nobody \
             can.\nKeep it offline, in two places.\n",
        );
    }
    // Writing into a string does not fail.
    let _ = match (&plan.recovery_key, plan.encrypted) {
        (Some(path), true) => write!(
            text,
            "\nKeep offline, in two places; without it nobody can restore:\n  {}\n",
            path.display()
        ),
        (Some(path), false) => write!(
            text,
            "\nKeep offline; without it no host can be added or retired:\n  {}\n",
            path.display()
        ),
        (None, _) => Ok(()),
    };
    if !plan.recipients.is_empty() {
        text.push_str("\nKeep offline the private keys of:\n");
        for recipient in &plan.recipients {
            let _ = writeln!(text, "  {recipient}");
        }
        let _ = write!(
            text,
            "with this line in their files, by which a restore knows the repository again:\n  {}\n",
            RecoveryKeyFile::trust_line(trust)
        );
    }
    let _ = write!(
        text,
        "\nStays on this host (it lets the host write backups, not read them):\n  {}\n\
         \nConfiguration:\n  {}\n",
        plan.host_key.display(),
        plan.config.display()
    );
    let is_found = context.config.is_none();
    text.push_str(&next::steps(plan, &plan.cluster, is_found));
    context.output.data(text);
}
