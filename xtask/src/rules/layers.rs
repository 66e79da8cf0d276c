//! Who may depend on whom: every crate stands on a floor and sees only floors
//! below its own, so that the direction of imports is settled by the compiler.
//!
//! Besides: `repository` never sees `postgres`, so that the format is read the
//! same where no PostgreSQL is; the testkit is for tests alone; a crate that
//! nobody gave a floor is an error.

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::manifest::{self, Dependency, Kind, Manifest};
use crate::tree::Tree;

const FLOORS: [(&str, u8); 13] = [
    ("pgkeep-types", 0),
    ("pgkeep-postgres", 1),
    ("pgkeep-storage", 1),
    ("pgkeep-format", 1),
    ("pgkeep-retention", 1),
    ("pgkeep-config", 2),
    ("pgkeep-repository", 2),
    ("pgkeep-capture", 3),
    ("pgkeep-restore", 3),
    ("pgkeep-maintenance", 3),
    ("pgkeep-proof", 4),
    ("pgkeep-daemon", 5),
    ("pgkeep", CLI),
];
const CLI: u8 = 6;
const TESTKIT: &str = "pgkeep-testkit";
const XTASK: &str = "xtask";

/// Pairs that the floors alone would allow.
const NEVER: [(&str, &str); 1] = [("pgkeep-repository", "pgkeep-postgres")];

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let manifests = manifest::read_all(tree)?;
    let findings = manifests.iter().flat_map(of_manifest).collect();
    Ok(Report {
        rule: "layers",
        looked_at: manifests.len(),
        what: "packages",
        findings,
    })
}

fn of_manifest(manifest: &Manifest) -> Vec<Finding> {
    if !is_known(&manifest.package) {
        return vec![Finding::error(
            &manifest.path,
            format!(
                "{} has no floor: give it one in the layer rule",
                manifest.package
            ),
        )];
    }
    manifest
        .dependencies
        .iter()
        .filter(|dependency| dependency.own || is_known(&dependency.package))
        .filter_map(|dependency| objection(&manifest.package, dependency))
        .map(|objection| Finding::error(&manifest.path, objection))
        .collect()
}

fn is_known(package: &str) -> bool {
    floor(package).is_some() || [TESTKIT, XTASK].contains(&package)
}

fn floor(package: &str) -> Option<u8> {
    let (_, floor) = FLOORS.iter().find(|(name, _)| *name == package)?;
    Some(*floor)
}

fn objection(package: &str, dependency: &Dependency) -> Option<String> {
    let other = dependency.package.as_str();
    if package == XTASK || other == XTASK {
        return Some(format!(
            "{package} depends on {other}; xtask stands outside the house"
        ));
    }
    if other == TESTKIT {
        let allowed = dependency.kind == Kind::Dev;
        return (!allowed).then(|| format!("{package} depends on {other} outside its tests"));
    }
    if NEVER.contains(&(package, other)) {
        return Some(format!("{package} must never depend on {other}"));
    }
    let Some(below) = floor(other) else {
        return Some(format!(
            "{package} depends on {other}, which has no floor: give it one in the layer rule"
        ));
    };
    // The testkit has no floor: it may see what is below the program itself.
    let own = floor(package).unwrap_or(CLI);
    (below >= own).then(|| {
        format!(
            "{package} (floor {own}) depends on {other} (floor {below}); \
             a crate sees only floors below its own"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    fn findings(package: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{package}\"\n{rest}");
        let (_root, tree) = synthetic::tree(&[("crates/x/Cargo.toml", &text)]);
        check(&tree).unwrap().lines()
    }

    fn only(findings: &[String], part: &str) {
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains(part), "{findings:?}");
    }

    #[test]
    fn a_floor_below_may_be_seen() {
        let below = "[dependencies]\npgkeep-format.workspace = true\nserde = \"1\"\n";
        assert!(findings("pgkeep-repository", below).is_empty());
    }

    #[test]
    fn a_floor_above_may_not_be_seen() {
        let above = "[dependencies]\npgkeep-capture.workspace = true\n";
        only(&findings("pgkeep-repository", above), "(floor 3)");
    }

    #[test]
    fn crates_of_one_floor_do_not_see_each_other_not_even_in_tests() {
        let beside = "[dev-dependencies]\npgkeep-restore.workspace = true\n";
        only(&findings("pgkeep-capture", beside), "only floors below");
    }

    #[test]
    fn the_repository_never_sees_postgres() {
        let postgres = "[dependencies]\npgkeep-postgres.workspace = true\n";
        only(&findings("pgkeep-repository", postgres), "must never");
    }

    #[test]
    fn the_testkit_is_for_tests_alone() {
        let tests = "[dev-dependencies]\npgkeep-testkit.workspace = true\n";
        assert!(findings("pgkeep-storage", tests).is_empty());
        let program = "[dependencies]\npgkeep-testkit.workspace = true\n";
        only(&findings("pgkeep", program), "outside its tests");
        let build = "[build-dependencies]\npgkeep-testkit.workspace = true\n";
        only(&findings("pgkeep", build), "outside its tests");
    }

    #[test]
    fn the_testkit_sees_every_floor_but_the_program() {
        let proof = "[dependencies]\npgkeep-daemon.workspace = true\n";
        assert!(findings("pgkeep-testkit", proof).is_empty());
        let program = "[dependencies]\npgkeep.workspace = true\n";
        only(&findings("pgkeep-testkit", program), "only floors below");
    }

    #[test]
    fn xtask_stands_outside() {
        let types = "[dependencies]\npgkeep-types.workspace = true\n";
        only(&findings("xtask", types), "outside the house");
        let xtask = "[dependencies]\nxtask = { path = \"../../xtask\" }\n";
        only(&findings("pgkeep", xtask), "outside the house");
    }

    #[test]
    fn a_crate_without_a_floor_is_an_error() {
        only(&findings("pgkeep-new", ""), "no floor");
        let new = "[dependencies]\nnew = { path = \"../new\" }\n";
        only(&findings("pgkeep", new), "no floor");
    }
}
