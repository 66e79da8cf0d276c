//! Where `scripts/setup` keeps what no Debian package holds.
//!
//! Invariant: the rule is that of `scripts/environment.sh`.

use std::path::{Path, PathBuf};

/// The path of something in the cache, whether or not it is there.
pub(crate) fn path(inside: &str) -> PathBuf {
    if let Some(cache) = std::env::var_os("PGKEEP_DEV_CACHE") {
        return Path::new(&cache).join(inside);
    }
    let shared = Path::new("/var/cache/pgkeep-dev").join(inside);
    match std::env::home_dir() {
        Some(home) if !shared.exists() => home.join(".cache/pgkeep-dev").join(inside),
        _ => shared,
    }
}
