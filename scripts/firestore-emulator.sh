#!/bin/sh
# Prints the path of the Firestore emulator's jar, or says on one line of standard error how to get it.
#
# Looked for, in this order: $FIRESTORE_EMULATOR_JAR; the Google Cloud SDK that `gcloud` belongs to; the Firebase
# CLI's cache, the newest version; then the Firebase CLI is asked to download it. Java 11 or newer has to be there.
set -eu

fail() {
    echo "vigil: $1" >&2
    exit 1
}

# java_major prints 8 for "1.8.0_392" and 17 for "17.0.15"; nothing when there is no working Java.
java_major() {
    java -version 2>&1 | sed -n 's/^[^"]*version "\(1\.\)\{0,1\}\([0-9][0-9]*\).*/\2/p' | head -n 1
}

# newest_cached prints the newest jar in the Firebase CLI's cache; nothing when there is none.
newest_cached() {
    cache="${FIREBASE_EMULATORS_PATH:-${HOME:-}/.cache/firebase/emulators}"
    version=$(
        for jar in "$cache"/cloud-firestore-emulator-v*.jar; do
            [ -f "$jar" ] || continue
            jar=${jar##*/cloud-firestore-emulator-v}
            echo "${jar%.jar}"
        done | sort -t . -k 1,1n -k 2,2n -k 3,3n | tail -n 1
    )
    [ -z "$version" ] || echo "$cache/cloud-firestore-emulator-v$version.jar"
}

# sdk_jar prints the jar of the Google Cloud SDK's component; nothing when there is none.
sdk_jar() {
    gcloud=$(command -v gcloud) || return 0
    gcloud=$(readlink -f "$gcloud") || return 0
    jar="${gcloud%/bin/gcloud}/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
    [ ! -f "$jar" ] || echo "$jar"
}

# firebase_cli runs the Firebase CLI: the one on the path, else the one that tools/firebase pins, where that is installed.
firebase_cli() {
    pinned="$(dirname "$0")/../tools/firebase/node_modules/firebase-tools/lib/bin/firebase.js"
    if command -v firebase >/dev/null; then
        firebase "$@"
    elif command -v node >/dev/null && [ -f "$pinned" ]; then
        node "$pinned" "$@"
    fi
}

find_jar() {
    if [ -n "${FIRESTORE_EMULATOR_JAR:-}" ]; then
        [ -f "$FIRESTORE_EMULATOR_JAR" ] || fail "FIRESTORE_EMULATOR_JAR names no file: $FIRESTORE_EMULATOR_JAR"
        echo "$FIRESTORE_EMULATOR_JAR"
        return
    fi
    jar=$(sdk_jar)
    [ -n "$jar" ] || jar=$(newest_cached)
    if [ -z "$jar" ]; then
        firebase_cli setup:emulators:firestore </dev/null >/dev/null 2>&1 || true
        jar=$(newest_cached)
    fi
    [ -n "$jar" ] || fail "no Firestore emulator: run 'gcloud components install cloud-firestore-emulator' (or 'apt-get install google-cloud-cli-firestore-emulator', or 'npm install -g firebase-tools'), or set FIRESTORE_EMULATOR_JAR to its jar"
    echo "$jar"
}

command -v java >/dev/null || fail "no Java: the Firestore emulator needs version 11 or newer (apt-get install default-jre-headless)"
major=$(java_major)
[ "${major:-0}" -ge 11 ] || fail "Java ${major:-of an unknown version} is too old: the Firestore emulator needs version 11 or newer (apt-get install default-jre-headless)"
find_jar
