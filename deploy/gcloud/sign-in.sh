#!/usr/bin/env bash
# Deploys the function before sign-ins and registers it with Identity Platform; sign-in.sh off unregisters it. From then on every sign-in of
# the project waits for it. It is public, and its account has no role: it answers signed requests of Google's.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
tool curl jq
command=${1-on}
[[ $command == on || $command == off ]] || fail "$1: on or off"
[[ -z ${FORCE-} || $command-$FORCE == off-yes ]] || fail "FORCE is '$FORCE': it is for off alone, and yes or nothing"

config=https://identitytoolkit.googleapis.com/admin/v2/projects/$PROJECT_ID/config

# call CURL'S ARGUMENTS...: asks Identity Platform. The token is handed over where no other process sees it.
call() {
    local token
    token=$(gcloud auth print-access-token) || fail "there is no access token: is gcloud logged in?"
    printf 'Authorization: Bearer %s\n' "$token" |
        curl --silent --show-error --fail-with-body --header @- --header "X-Goog-User-Project: $PROJECT_ID" "$@"
}

answer=$(call "$config") || fail "Identity Platform does not say what is registered: $answer"
blocking=$(jq --compact-output 'objects | .blockingFunctions // {} | objects' <<<"$answer") || fail "not an answer of Identity Platform's: $answer"
[[ -n $blocking ]] || fail "not an answer of Identity Platform's: '$answer'" # written back, it would unregister everything
now=$(jq --raw-output '.triggers.beforeSignIn.functionUri // ""' <<<"$blocking")

body=$(mktemp)
trap 'rm -f "$body"' EXIT

# register FILTER URI: writes back what was read, changed by a filter of jq: functions for other events stay as they are.
register() {
    jq --compact-output --arg uri "$2" "{blockingFunctions: (del(.triggers[]?.updateTime) | $1)}" <<<"$blocking" >"$body"
    call --request PATCH --header 'Content-Type: application/json' --data "@$body" "$config?updateMask=blockingFunctions" >/dev/null
}

off() {
    local uri
    if [[ -n $now && ${FORCE-} != yes ]]; then
        uri=$(url vigil-signin)
        [[ $now == "$uri" ]] || fail "$now is registered before sign-ins, not $uri: FORCE=yes ${0##*/} off unregisters it all the same"
    fi
    [[ -z $now ]] || register 'del(.triggers.beforeSignIn)' ''
    echo "Sign-ins do not wait for a function${now:+; they waited for $now}. The service vigil-signin can be deleted."
}

# answers URI: whether BeforeSignIn is there, which refuses a request that Google has not signed in its own words. A service that has just
# been made public is not so everywhere at once.
answers() {
    local attempt said=''
    for attempt in 1 2 3 4 5 6; do
        said=$(curl --silent --show-error --max-time 20 --header 'Content-Type: application/json' --data '{"data":{"jwt":"nobody"}}' \
            --write-out ' %{http_code}' "$1") || said+=' failed'
        # A front end's refusal is a page, not JSON.
        [[ ${said##* } != 401 ]] || ! jq --exit-status '.error.status == "UNAUTHENTICATED"' <<<"${said% *}" >/dev/null 2>&1 || return 0
        echo "attempt $attempt: $1 does not answer as it should: $said" >&2
        sleep 5
    done
    return 1
}

if [[ $command == off ]]; then
    off
    exit
fi

uri=$(url vigil-signin)
[[ -z $now || $now == "$uri" ]] ||
    fail "$now is registered before sign-ins, and there can be one function: have that return the claim sid, as functions/signin.go says, or \
unregister it with FORCE=yes ${0##*/} off"
image=$(image)

gcloud run deploy vigil-signin --region="$REGION" --image="$image" --service-account="$(account signin)" \
    --set-env-vars="FIREBASE_PROJECT_ID=$PROJECT_ID,FUNCTION_TARGET=BeforeSignIn,SIGN_IN_URI=$uri" --command=/functions \
    --allow-unauthenticated --cpu=1 --memory=512Mi --cpu-boost --min-instances="${SIGN_IN_MIN_INSTANCES:-1}" \
    --max-instances="${SIGN_IN_MAX_INSTANCES:-20}" --concurrency=80 --timeout=10
answers "$uri" || fail "$uri is not registered, because it would keep everybody out${now:+; but it was already: ${0##*/} off unregisters it}"
# shellcheck disable=SC2016 # the variable is jq's
register '.triggers.beforeSignIn = {functionUri: $uri}' "$uri"
echo "$uri"
