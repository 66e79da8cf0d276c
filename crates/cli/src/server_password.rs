//! The password of a database's user, asked for where nothing has it.
//!
//! Invariant: it is asked for only where a server wants one, none is known and
//! somebody sits at the terminal; it is never an argument.

use pgkeep_postgres::client::{ConnectError, ConnectionParameters, connect};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CliError;
use crate::terminal;

/// Refuses a connection with a password that was an argument.
pub(crate) fn refuse_as_argument(parsed: &ConnectionParameters) -> Result<(), CliError> {
    if parsed.has_password() {
        return Err(CliError::Usage {
            problem: "a password was given as an argument, where others can see it".to_owned(),
            hint: "put it into ~/.pgpass, or the whole URL into PGKEEP_DATABASE_URL; \
                   and change it"
                .to_owned(),
        });
    }
    Ok(())
}

/// The password that was typed; none where none is needed or nobody is there.
pub(crate) async fn typed(
    context: &Context,
    connection: &ConnectionParameters,
) -> Result<Option<Zeroizing<String>>, CliError> {
    if connection.has_password() || !terminal::is_there() {
        return Ok(None);
    }
    let tried = async { Ok(connect(connection).await) };
    let tried = context.unless_interrupted("the connection", tried).await?;
    // Any other failure is told by who connects next.
    let Err(ConnectError::NoPassword { server, user, .. }) = tried else {
        return Ok(None);
    };
    let question = format!("Password of user {user:?} on {server}: ");
    terminal::ask_secretly(context, &question).await.map(Some)
}

/// The connection with the password that was typed, where it has none of its own.
pub(crate) fn with_typed(
    connection: ConnectionParameters,
    typed: Option<&Zeroizing<String>>,
) -> ConnectionParameters {
    match typed {
        Some(password) if !connection.has_password() => connection.with_password(password),
        _ => connection,
    }
}
