# shellcheck shell=bash
# What the scripts of this folder share: docs/deploy.md says what each does. They take parameters from the environment, and can be run again:
# what is there stays, or is brought up to date.
set -euo pipefail

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# need VARIABLE WHAT...: fails with all of the variables that are not set.
need() {
    local missing=''
    while (($# > 1)); do
        [[ -n ${!1-} ]] || missing+=$'\n'"  $1: $2"
        shift 2
    done
    [[ -z $missing ]] || fail "these variables have to be set:$missing"
}

# tool PROGRAM...: fails with all of the programs that are not there.
tool() {
    local missing='' each
    for each in "$@"; do
        command -v "$each" >/dev/null || missing+=" $each"
    done
    [[ -z $missing ]] || fail "these programs have to be installed:$missing"
}

tool gcloud git
need PROJECT_ID "the Firebase project, which is a Google Cloud project" \
    REGION "where the services run, near the database, such as europe-west4"
export CLOUDSDK_CORE_PROJECT=$PROJECT_ID CLOUDSDK_CORE_DISABLE_PROMPTS=1
root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)

# there COMMAND...: whether gcloud can describe something.
there() { gcloud "$@" >/dev/null 2>&1; }

# account NAME: the e-mail address of one of our service accounts.
account() { echo "vigil-$1@$PROJECT_ID.iam.gserviceaccount.com"; }

# image: the name of the image, with the commit that is checked out unless TAG says something else.
image() {
    local tag=${TAG:-$(git -C "$root" rev-parse --short=12 HEAD)} || fail "set TAG: this is not a git repository"
    echo "$REGION-docker.pkg.dev/$PROJECT_ID/vigil/vigil:$tag"
}

# url SERVICE: where Cloud Run serves it, known before it is deployed.
url() {
    local number
    number=$(gcloud projects describe "$PROJECT_ID" --format='value(projectNumber)')
    echo "https://$1-$number.$REGION.run.app"
}

# settings: the environment of the service and of the functions, which have to go by the same one.
settings() {
    local file=${SETTINGS-} ours='ADDR|PORT|FUNCTION_TARGET|SIGN_IN_URI|FIREBASE_PROJECT_ID'
    if [[ -n $file ]]; then
        [[ -r $file ]] || fail "SETTINGS: $file cannot be read"
        ! grep -Eq "^($ours|ALLOW_EMULATORS|[A-Z_]+_EMULATOR_HOST):" "$file" ||
            fail "SETTINGS: $file has a variable that is not its to set: $ours, or of emulators"
        cat "$file"
        echo
    fi
    echo "FIREBASE_PROJECT_ID: \"$PROJECT_ID\""
}
