//! Which of several servers will do, by what a session on it may do
//! (`target_session_attrs`).
//!
//! Source: `target_session_attrs` in the manual's chapter on libpq, and
//! `CONNECTION_CHECK_TARGET` in src/interfaces/libpq/fe-connect.c.

/// What is asked of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SessionAttributes {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl SessionAttributes {
    pub(super) const ALL: [Self; 6] = [
        Self::Any,
        Self::ReadWrite,
        Self::ReadOnly,
        Self::Primary,
        Self::Standby,
        Self::PreferStandby,
    ];

    /// libpq's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }

    /// What is asked for, first and then, where nothing had it, in a second round.
    pub(super) fn rounds(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Whether a session will do that is `in_recovery` and whose transactions are
    /// `read_only`.
    pub(super) fn fits(self, in_recovery: bool, read_only: bool) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !in_recovery && !read_only,
            Self::ReadOnly => in_recovery || read_only,
            Self::Primary => !in_recovery,
            Self::Standby => in_recovery,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_fits_by_its_server_and_by_whether_it_may_write() {
        use SessionAttributes::{Any, Primary, ReadOnly, ReadWrite, Standby};
        for (in_recovery, read_only, fitting) in [
            (false, false, [Any, ReadWrite, Primary].as_slice()),
            (false, true, &[Any, ReadOnly, Primary]),
            (true, true, &[Any, ReadOnly, Standby]),
        ] {
            for wanted in [Any, ReadWrite, ReadOnly, Primary, Standby] {
                let fits = wanted.fits(in_recovery, read_only);
                assert_eq!(fits, fitting.contains(&wanted), "{wanted:?}");
            }
        }
    }
}
