# Timed steps and counted tests, for the scripts that run them. Sourced by bash.
#
# A count is true or it is not given: whatever ended badly is said, and becomes
# the exit code.

# Tests must meet no server, configuration or terminal but their own.
forget_surroundings() {
    local name
    while read -r name; do
        case $name in
            PGKEEP_DEV_CACHE) ;;
            PG*) unset "$name" ;;
        esac
    done < <(compgen -e)
    unset TZ
}

microseconds() { printf '%s' "${EPOCHREALTIME//[!0-9]/}"; }

# seconds_since MICROSECONDS: to a tenth.
seconds_since() {
    local tenths=$((($(microseconds) - $1 + 50000) / 100000))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

all_started=$(microseconds)

# step NAME COMMAND…: runs it, tells its time, ends everything when it fails.
step() {
    local name=$1 started status=0
    shift
    started=$(microseconds)
    "$@" || status=$?
    if [ "$status" -ne 0 ]; then
        printf '== %-8s failed (exit code %d) after %s\n' "$name" "$status" "$(seconds_since "$started")"
        if [ -n "$counted" ]; then printf '%s\n' "$counted"; fi
        exit "$status"
    fi
    printf '== %-8s %s\n' "$name" "$(seconds_since "$started")"
}

report_total() {
    printf '== %-8s %s\n' all "$(seconds_since "$all_started")"
    if [ -n "$counted" ]; then printf '%s\n' "$counted"; fi
}

# count_tests COMMAND…: runs a cargo test and sums what its test programs told
# into $counted. A test that began and told no result, or no test at all, is a
# failure whatever the exit code says.
counted=
count_tests() {
    local log status=0 begun passed failed ignored unfinished
    log=$(mktemp)
    "$@" | tee "$log" || status=${PIPESTATUS[0]}
    read -r begun passed failed ignored < <(sum_of_results "$log")
    rm -f "$log"
    unfinished=$((begun - passed - failed - ignored))
    counted="$passed passed, $failed failed, $ignored ignored"
    if [ "$unfinished" -ne 0 ]; then
        counted="$counted, $unfinished without a result"
    elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        counted="$counted, and cargo failed: see above"
    elif [ "$status" -eq 0 ] && [ "$passed" -eq 0 ]; then
        counted="no test ran"
        return 1
    fi
    if [ "$status" -eq 0 ] && [ "$((failed + unfinished))" -ne 0 ]; then status=1; fi
    return "$status"
}

sum_of_results() {
    awk '
        /^running [0-9]+ tests?$/ { begun += $2 }
        /^test result: / {
            for (i = 2; i <= NF; i++) {
                if ($i == "passed;") passed += $(i - 1)
                if ($i == "failed;") failed += $(i - 1)
                if ($i == "ignored;") ignored += $(i - 1)
            }
        }
        END { print begun + 0, passed + 0, failed + 0, ignored + 0 }' "$1"
}
