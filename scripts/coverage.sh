#!/bin/sh
# usage: coverage.sh [-q] PROFILE
#
# Prints the share of statements that each package's own tests run, from a profile of `go test -coverprofile`, and
# fails when a package that carries decisions is not above the bar. With -q only what is below the bar is said.
set -eu

bar=85
gated="internal/session internal/live handlers firestore"

quiet=0
if [ "${1:-}" = -q ]; then
    quiet=1
    shift
fi
profile=${1:?usage: coverage.sh [-q] PROFILE}
[ -s "$profile" ] || {
    echo "vigil: no coverage profile $profile: run 'make test' first" >&2
    exit 1
}

# A line reads module/package/file.go:12.3,14.5 STATEMENTS COUNT. The same block may be listed more than once.
awk -v bar="$bar" -v gated="$gated" -v quiet="$quiet" '
    FNR == 1 && /^mode:/ { next }
    {
        statements[$1] = $2
        if ($3 > 0) covered[$1] = 1
    }
    END {
        for (block in statements) {
            package = block
            sub(/:[^:]*$/, "", package)     # the position
            sub(/\/[^\/]*$/, "", package)   # the file
            sub(/^[^\/]*\/[^\/]*\/[^\/]*\/?/, "", package) # the module: host/owner/name
            total[package] += statements[block]
            if (block in covered) hit[package] += statements[block]
        }
        count = split(gated, names, " ")
        for (i = 1; i <= count; i++) {
            name = names[i]
            must[name] = 1
            if (!(name in total)) {
                printf "coverage: %s has no statements in the profile, it needs more than %d %%\n", name, bar > "/dev/stderr"
                failed = 1
            }
        }
        sorted = "sort"
        for (name in total) {
            share = total[name] ? 100 * hit[name] / total[name] : 100
            if (!quiet) printf "%-32s %6.1f %%%s\n", name, share, (name in must) ? "  (needs more than " bar " %)" : "" | sorted
            if ((name in must) && share <= bar) {
                printf "coverage: %s is at %.2f %% of statements, it needs more than %d %%\n", name, share, bar > "/dev/stderr"
                failed = 1
            }
        }
        close(sorted)
        exit failed
    }
' "$profile"
