#!/usr/bin/env bash
# Deploys the function before sign-ins and registers it with Identity Platform; sign-in.sh off unregisters it. From then on every sign-in of
# the project waits for it. It is public, and its account has no role: it answers signed requests of Google's.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
tool curl jq
[[ ${1-on} == on || ${1-on} == off ]] || fail "$1: on or off"

config=https://identitytoolkit.googleapis.com/admin/v2/projects/$PROJECT_ID/config
uri=$(url vigil-signin)

# call CURL'S ARGUMENTS...: asks Identity Platform. The token is handed over where no other process sees it.
call() {
    local token
    token=$(gcloud auth print-access-token)
    printf 'Authorization: Bearer %s\n' "$token" |
        curl --silent --show-error --fail-with-body --header @- --header "X-Goog-User-Project: $PROJECT_ID" "$@"
}

blocking=$(call "$config" | jq --compact-output '.blockingFunctions // {}')
now=$(jq --raw-output '.triggers.beforeSignIn.functionUri // ""' <<<"$blocking")
[[ -z $now || $now == "$uri" ]] ||
    fail "$now is registered before sign-ins, and there can be one function: have that return the claim sid, as functions/signin.go says"

# register FILTER: writes back what was read, changed by a filter of jq: functions for other events stay as they are.
register() {
    jq --compact-output --arg uri "$uri" "{blockingFunctions: (del(.triggers[]?.updateTime) | $1)}" <<<"$blocking" >"$body"
    call --request PATCH --header 'Content-Type: application/json' --data "@$body" "$config?updateMask=blockingFunctions" >/dev/null
}
body=$(mktemp)
trap 'rm -f "$body"' EXIT

if [[ ${1-on} == off ]]; then
    [[ -z $now ]] || register 'del(.triggers.beforeSignIn)'
    echo "Sign-ins do not wait for a function of Vigil's. The service vigil-signin can be deleted."
    exit
fi

gcloud run deploy vigil-signin --region="$REGION" --image="$(image)" --service-account="$(account signin)" \
    --set-env-vars="FIREBASE_PROJECT_ID=$PROJECT_ID,FUNCTION_TARGET=BeforeSignIn,SIGN_IN_URI=$uri" --command=/functions \
    --allow-unauthenticated --cpu=1 --memory=512Mi --cpu-boost --min-instances="${SIGN_IN_MIN_INSTANCES:-1}" \
    --max-instances="${SIGN_IN_MAX_INSTANCES:-20}" --concurrency=80 --timeout=10
# shellcheck disable=SC2016 # the variable is jq's
register '.triggers.beforeSignIn = {functionUri: $uri}'
echo "$uri"
