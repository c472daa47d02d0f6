#!/usr/bin/env bash
# Deploys the functions on Vigil's documents, which only Eventarc and Cloud Scheduler can reach, with what calls them.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
[[ ${USER_EVENTS-on} == on || ${USER_EVENTS-on} == off ]] || fail "USER_EVENTS is '$USER_EVENTS': on or off"

environment=$(mktemp)
trap 'rm -f "$environment"' EXIT
settings >"$environment"

gcloud run deploy vigil-functions --region="$REGION" --image="$(image)" --service-account="$(account functions)" \
    --env-vars-file="$environment" --command=/functions --no-allow-unauthenticated --ingress=internal \
    --cpu=1 --memory=512Mi --min-instances=0 --max-instances=5 --concurrency=50 --timeout=900
for caller in events scheduler; do
    gcloud run services add-iam-policy-binding vigil-functions --region="$REGION" \
        --member="serviceAccount:$(account "$caller")" --role=roles/run.invoker --format=none
done

# trigger NAME LOCATION FUNCTION FILTER...: has events delivered. A function may take as long as an instance has to finish its work by itself,
# twice FEED_RESYNC, and its own after that: an event that is not answered for ackDeadline seconds is delivered again.
ackDeadline=120
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

verb=create
there scheduler jobs describe vigil-sweep --location="$REGION" && verb=update
uri=$(url vigil-functions)
gcloud scheduler jobs "$verb" http vigil-sweep --location="$REGION" --schedule="${SWEEP_SCHEDULE:-17 * * * *}" \
    --uri="$uri/Sweep" --http-method=post --attempt-deadline=900s \
    --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$uri"
