#!/usr/bin/env bash
# Deploys the functions on Vigil's documents, which only Eventarc and Cloud Scheduler can reach, with what calls them.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
need SETTINGS "the file of the service's settings, each time: what is not in it goes back to its default. Or none"
[[ ${USER_EVENTS-on} == on || ${USER_EVENTS-on} == off ]] || fail "USER_EVENTS is '$USER_EVENTS': on or off"

environment=$(mktemp)
trap 'rm -f "$environment"' EXIT
settings >"$environment"
image=$(image)

# seconds DURATION: rounded up.
seconds() {
    if [[ $1 =~ ^[0-9]{1,8}$ ]]; then
        echo $(((10#$1 + 999) / 1000)) # milliseconds
    elif [[ $1 =~ ^(([0-9]{1,4})h)?(([0-9]{1,4})m)?(([0-9]{1,4})s)?$ && -n $1 ]]; then
        echo $((10#0${BASH_REMATCH[2]} * 3600 + 10#0${BASH_REMATCH[4]} * 60 + 10#0${BASH_REMATCH[6]}))
    else
        fail "FEED_RESYNC: write '$1' in minutes and seconds, such as 1m30s"
    fi
}

# A function may take as long as an instance has to finish its work by itself, twice FEED_RESYNC, and its own after that: an event that is
# not answered for so many seconds is delivered again. Pub/Sub allows for 600.
resync=$(sed -n 's/^FEED_RESYNC: "\(.*\)"$/\1/p' "$environment")
resync=$(seconds "${resync:-15s}")
ackDeadline=$((2 * resync + 60))
((ackDeadline <= 600)) || fail "FEED_RESYNC: at most 4m30s, because an event can be waited for no longer than ten minutes"

gcloud run deploy vigil-functions --region="$REGION" --image="$image" --service-account="$(account functions)" \
    --env-vars-file="$environment" --command=/functions --no-allow-unauthenticated --ingress=internal \
    --cpu=1 --memory=512Mi --min-instances=0 --max-instances=5 --concurrency=50 --timeout=900
for caller in events scheduler; do
    gcloud run services add-iam-policy-binding vigil-functions --region="$REGION" \
        --member="serviceAccount:$(account "$caller")" --role=roles/run.invoker --format=none
done

# trigger NAME LOCATION FUNCTION FILTER...: has events delivered.
trigger() {
    local name=$1 location=$2 function=$3 subscription
    shift 3
    local destination=(--destination-run-service=vigil-functions --destination-run-region="$REGION" --destination-run-path="/$function"
        --service-account="$(account events)")
    if there eventarc triggers describe "$name" --location="$location"; then
        gcloud eventarc triggers update "$name" --location="$location" "${destination[@]}"
    else
        gcloud eventarc triggers create "$name" --location="$location" "${destination[@]}" "$@"
    fi
    subscription=$(gcloud eventarc triggers describe "$name" --location="$location" --format='value(transport.pubsub.subscription)')
    [[ -n $subscription ]] || fail "the trigger $name has no subscription yet: run this again in a minute"
    gcloud pubsub subscriptions update "$subscription" --ack-deadline="$ackDeadline"
}

# Eventarc knows no multi-regions: https://cloud.google.com/firestore/docs/eventarc#locations.
database=$(gcloud firestore databases describe --database='(default)' --format='value(locationId)')
[[ -n $database ]] || fail "the database's location is not to be had"
case $database in
    nam5) location=us-central1 ;;
    eur3) location=europe-west4 ;;
    *) location=$database ;;
esac
trigger vigil-revocation "$location" OnRevocation --event-filters=type=google.cloud.firestore.document.v1.written \
    --event-filters='database=(default)' --event-filters-path-pattern='document=sessionUsers/{uid}' \
    --event-data-content-type=application/protobuf

if [[ ${USER_EVENTS-on} == on ]]; then
    trigger vigil-user-deleted global OnUserDeleted --event-filters=type=google.firebase.auth.user.v2.deleted \
        --event-data-content-type=application/json
fi

uri=$(url vigil-functions)
verb=create
! there scheduler jobs describe vigil-sweep --location="$REGION" || verb=update
gcloud scheduler jobs "$verb" http vigil-sweep --location="$REGION" --schedule="${SWEEP_SCHEDULE:-17 * * * *}" \
    --uri="$uri/Sweep" --http-method=post --attempt-deadline=900s \
    --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$uri"
