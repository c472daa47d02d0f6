# shellcheck shell=bash
# What the scripts of this folder share: docs/deploy.md says what each does. They take parameters from the environment, and can be run again:
# what is there stays, or is brought up to date.
set -euo pipefail

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# Without it bash ignores failures within $(…), and what is printed after one is taken for the answer.
shopt -s inherit_errexit 2>/dev/null || fail "bash 4.4 or newer is needed: this is $BASH_VERSION"

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
[[ $PROJECT_ID =~ ^([a-z0-9.-]+:)?[a-z][a-z0-9-]*$ ]] || fail "PROJECT_ID: '$PROJECT_ID' is not the id of a project"
[[ $REGION =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || fail "REGION: '$REGION' is not a region, such as europe-west4"
(($# == 0)) || [[ ${0##*/} == sign-in.sh ]] || fail "there are no arguments, only variables: $*"
export CLOUDSDK_CORE_PROJECT=$PROJECT_ID CLOUDSDK_CORE_DISABLE_PROMPTS=1
root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)

# there COMMAND...: whether gcloud can describe something. Nothing is made because of another failure than that it does not exist.
there() {
    local said
    ! said=$(gcloud "$@" 2>&1 >/dev/null) || return 0
    case $said in
        *') NOT_FOUND: '* | *' not found: 404.'*) return 1 ;; # the second is how gcloud storage says it
        *) fail "gcloud $*: $said" ;;
    esac
}

# account NAME: the e-mail address of one of our service accounts.
account() { echo "vigil-$1@$PROJECT_ID.iam.gserviceaccount.com"; }

# image: the name of the image, with the commit that is checked out unless TAG says something else.
image() {
    local tag=${TAG-}
    if [[ -z $tag ]]; then
        tag=$(git -C "$root" rev-parse --short=12 HEAD) || fail "set TAG: this is not a git repository"
    fi
    echo "$REGION-docker.pkg.dev/$PROJECT_ID/vigil/vigil:$tag"
}

# url SERVICE: where Cloud Run serves it, known before it is deployed.
url() {
    local number
    number=$(gcloud projects describe "$PROJECT_ID" --format='value(projectNumber)') || fail "the project's number is not to be had"
    [[ $number =~ ^[0-9]+$ ]] || fail "the project's number is '$number'"
    echo "https://$1-$number.$REGION.run.app"
}

# settings: the environment of the service and of the functions, which have to go by the same one. Of YAML only the simplest lines are read,
# and written anew: what is looked at here is what Cloud Run reads.
settings() {
    local file=$SETTINGS line number=0 key value known=' '
    local simple='^([A-Z][A-Z0-9_]*):[[:blank:]]+("[^"\\]*"|[A-Za-z0-9/][A-Za-z0-9_.,:/@+-]*)([[:blank:]]+#.*)?[[:space:]]*$'
    if [[ $file != none ]]; then
        [[ -f $file && -r $file ]] || fail "SETTINGS: $file cannot be read"
        while IFS= read -r line || [[ -n $line ]]; do
            number=$((number + 1))
            [[ ! $line =~ ^[[:space:]]*(#.*)?$ ]] || continue
            [[ $line =~ $simple ]] || fail "SETTINGS: $file, line $number: neither a comment nor of the form VARIABLE: \"value\""
            key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]#\"}
            case $key in
                # The last two would have Sweep check its caller again, which it cannot do behind Cloud Run.
                ADDR | PORT | FUNCTION_TARGET | SIGN_IN_URI | FIREBASE_PROJECT_ID | ALLOW_EMULATORS | *_EMULATOR_HOST | SWEEP_AUDIENCE | SWEEP_CALLER)
                    fail "SETTINGS: $file, line $number: $key is not the file's to set"
                    ;;
            esac
            [[ $known != *" $key "* ]] || fail "SETTINGS: $file, line $number: $key is there twice"
            known+="$key "
            printf '%s: "%s"\n' "$key" "${value%\"}"
        done <"$file"
    fi
    printf 'FIREBASE_PROJECT_ID: "%s"\n' "$PROJECT_ID"
}
