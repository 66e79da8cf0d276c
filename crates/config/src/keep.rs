//! What is kept of a cluster's dumps.
//!
//! Invariants: every database has one policy; a name without wildcards is that database's
//! alone (`app` is not `app_archive`); who says nothing keeps everything.

use pgkeep_retention::Policy;

use crate::Pattern;

/// What is kept of the dumps of each database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Of a database that has nothing of its own.
    pub policy: Policy,
    /// What some have of their own, in the order in which they were written.
    pub of_databases: Vec<(Pattern, Policy)>,
}

impl Keep {
    /// The policy of a database: its own by name, else the first by a pattern, else that of
    /// all others.
    #[must_use]
    pub fn of(&self, database: &str) -> &Policy {
        let own = &self.of_databases;
        let by_name = own.iter().find(|(of, _)| of.name() == Some(database));
        let found = by_name.or_else(|| own.iter().find(|(of, _)| of.matches(database)));
        found.map_or(&self.policy, |(_, policy)| policy)
    }

    /// Whether it says of any database that something of it goes.
    #[must_use]
    pub fn lets_go(&self) -> bool {
        let own = self.of_databases.iter().map(|(_, policy)| policy);
        let mut all = own.chain([&self.policy]);
        all.any(|policy| !policy.rules.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy that can be told from others.
    fn last(count: u32) -> Policy {
        let mut policy = Policy::default();
        policy.rules.last = Some(count);
        policy
    }

    #[test]
    fn a_name_goes_before_patterns_and_these_in_the_order_of_the_file() {
        let own = [("app*", 1), ("app_tmp", 2), ("*_tmp", 3), ("a?p", 4)];
        let keep = Keep {
            policy: last(9),
            of_databases: own
                .map(|(of, count)| (Pattern::new(of), last(count)))
                .to_vec(),
        };
        for (database, count) in [
            ("app", 1),
            ("app_tmp", 2),
            ("x_tmp", 3),
            ("axp", 4),
            ("shop", 9),
        ] {
            assert_eq!(keep.of(database), &last(count), "{database}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_never_another_name_that_begins_or_ends_so(
            name in "[a-z_]{1,6}", more in "[a-z_]{1,3}"
        ) {
            let keep = Keep {
                policy: last(9),
                of_databases: vec![(Pattern::new(&name), last(1))],
            };
            proptest::prop_assert_eq!(keep.of(&name), &last(1));
            for other in [format!("{name}{more}"), format!("{more}{name}")] {
                proptest::prop_assert_eq!(keep.of(&other), &last(9), "{}", other);
            }
            let longer = format!("{name}{more}");
            let keep = Keep { of_databases: vec![(Pattern::new(&longer), last(1))], ..keep };
            proptest::prop_assert_eq!(keep.of(&name), &last(9));
        }
    }

    #[test]
    fn nothing_goes_where_all_is_kept() {
        assert!(!Keep::default().lets_go());
        let of_one = vec![(Pattern::new("app"), last(1))];
        let keep = Keep {
            of_databases: of_one,
            ..Keep::default()
        };
        assert!(keep.lets_go());
    }
}
