//! Names of databases, as they are typed.
//!
//! Invariant: a name that goes on from here is one that PostgreSQL keeps whole and
//! libpq takes for no other: an empty one would mean the user's own database, and
//! a longer one would be cut.

use crate::error::CliError;

/// The longest name that PostgreSQL keeps whole (`NAMEDATALEN` - 1), in bytes.
pub(crate) const NAME_LIMIT: usize = 63;

/// Refuses what cannot be the name of a database.
pub(crate) fn check_name(name: &str) -> Result<(), CliError> {
    if name.is_empty() || name.len() > NAME_LIMIT || name.contains('\0') {
        return Err(CliError::Usage {
            problem: format!("{name:?} cannot be the name of a database"),
            hint: format!("give 1 to {NAME_LIMIT} bytes; is a variable empty"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_mean_another_one_is_refused() {
        assert!(check_name(&"x".repeat(63)).is_ok());
        for name in ["", &"x".repeat(64), "a\0b"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
