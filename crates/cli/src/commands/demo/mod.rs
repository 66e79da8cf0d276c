//! `pgkeep demo`: the whole story on a throwaway cluster, in a minute.
//!
//! Invariants: it needs no configuration and reads none; everything happens in
//! one temporary directory, which is gone afterwards, however the story ends; it
//! succeeds only where every step and every comparison was what it should be.

mod chapters;
mod cluster;
mod covers;
mod error;
mod fingerprint;
mod lines;
mod report;
mod sample;
mod stage;
mod teller;
mod typed;

use std::time::{Duration, Instant};

use pgkeep_postgres::tools::ToolDirectory;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Demo;
use crate::context::Context;
use crate::error::{CliError, Exit};
use chapters::Scene;
use cluster::Cluster;
pub(crate) use error::DemoError;
use report::Facts;
use stage::Stage;
use teller::Teller;
use typed::Typist;

/// How long after a failure its cause may still arrive as a signal: Ctrl-C
/// reaches the server and every command as soon as it reaches us.
const SIGNAL_DELAY: Duration = Duration::from_millis(300);

/// Tells the story, and cleans up.
pub(crate) async fn run(arguments: &Demo, context: &Context) -> Result<Exit, CliError> {
    let started = Instant::now();
    let programs = Cluster::programs(&context.environment).await?;
    let teller = Teller::new(context.output);
    let stage = Stage::set(arguments.keep)?;
    let place = stage.path().to_owned();
    teller.opening(&place, arguments.keep);

    let told = on(&stage, &programs, &teller, context).await;
    let cleared = stage.clear().await;
    let left = place.exists().then_some(place.as_path());
    if let Err(error) = &told
        && was_interrupted(error, context).await
    {
        cleared?;
        teller.interrupted(left);
        return Ok(Exit::Interrupted);
    }
    if let (Err(_), Some(left)) = (&told, left) {
        teller.left_behind(left);
    }
    let facts = told?;
    cleared?;

    teller.ending(&facts, started.elapsed(), left);
    let json = facts.into_json(started.elapsed(), left.map(ToOwned::to_owned));
    context.output.json(&json)?;
    Ok(Exit::Done)
}

/// Tells the story on this stage, with a server that is stopped at the end.
async fn on(
    stage: &Stage,
    programs: &ToolDirectory,
    teller: &Teller,
    context: &Context,
) -> Result<Facts, DemoError> {
    // A terminal that is closed must not leave a server behind either.
    let mut hangup = signal(SignalKind::hangup()).map_err(DemoError::Signals)?;
    let typist = Typist::new(stage.path(), programs.path(), &context.environment, teller)?;
    let cluster = Cluster::start(stage, programs).await?;
    let told = tokio::select! {
        told = story(stage, &cluster, typist, teller) => told,
        () = context.interrupt.requested() => Err(DemoError::Interrupted),
        _ = hangup.recv() => Err(DemoError::Interrupted),
    };
    let stopped = cluster.stop().await;
    let facts = told?;
    stopped?;
    Ok(facts)
}

/// The story.
async fn story(
    stage: &Stage,
    cluster: &Cluster,
    typist: Typist<'_>,
    teller: &Teller,
) -> Result<Facts, DemoError> {
    let postgres = cluster.version().await?;
    let scene = Scene {
        cluster,
        typist,
        teller,
        postgres: &postgres,
    };
    let before = scene.something_to_lose().await?;
    scene.repository_and_keys().await?;
    scene.first_backup().await?;
    let last_day = scene.a_day_goes_by(&before).await?;
    let backups = scene.second_backup().await?;

    scene.disaster().await?;
    scene.refused_without_key().await?;
    let shop = scene.the_way_back(&last_day).await?;
    let library = scene.beside_itself(&last_day).await?;

    scene.proof(stage.path()).await?;
    scene.sabotage(stage.path(), &backups).await?;
    Ok(Facts {
        postgres,
        backups,
        returns: vec![shop, library],
    })
}

/// Whether the story failed because somebody has asked it to stop.
async fn was_interrupted(error: &DemoError, context: &Context) -> bool {
    matches!(error, DemoError::Interrupted)
        || tokio::time::timeout(SIGNAL_DELAY, context.interrupt.requested())
            .await
            .is_ok()
}
