//! Patterns of names: `*` stands for any characters, `?` for one.
//!
//! Invariants: all else stands for itself, case included; a name without either
//! matches itself alone (`app` is not `app_archive`).

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern that a text is. Every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one name that it matches, where it is no more than a name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(self.0.as_str())
    }

    /// Whether it matches all of `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut p, mut n) = (0, 0);
        // Where to go on when what follows the last `*` did not match.
        let mut back: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some('*') => {
                    back = Some((p + 1, n));
                    p += 1;
                }
                Some(&c) if c == '?' || c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match back {
                    Some((after, taken)) => {
                        back = Some((after, taken + 1));
                        p = after;
                        n = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|c| *c == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything_and_a_name_is_itself_alone() {
        for (pattern, name, matches) in [
            ("app", "app", true),
            ("app", "app_archive", false),
            ("app*", "app_archive", true),
            ("*_tmp", "a_tmp", true),
            ("*_tmp", "a_tmp2", false),
            ("a?c", "aüc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("App", "app", false),
            ("a.c", "abc", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                matches,
                "{pattern} {name}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_made_from_a_name_matches_it(
            name in "[ab]{0,8}",
            stars in proptest::collection::vec((0usize..9, 0usize..3), 0..4),
        ) {
            let mut pattern: Vec<char> = name.chars().collect();
            for (at, kind) in stars {
                let at = at.min(pattern.len());
                match kind {
                    0 => pattern.insert(at, '*'),
                    1 if at < pattern.len() && pattern[at] != '*' => pattern[at] = '?',
                    _ if at < pattern.len() && pattern[at] != '?' => pattern[at] = '*',
                    _ => {}
                }
            }
            let text: String = pattern.into_iter().collect();
            proptest::prop_assert!(Pattern::new(&text).matches(&name), "{}", text);
        }
    }
}
