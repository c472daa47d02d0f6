#!/usr/bin/env bash
# Deploys the service. It is public: it looks at its callers' tokens itself.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
need SETTINGS "the file of the service's settings, each time: what is not in it goes back to its default. Or none"

environment=$(mktemp)
trap 'rm -f "$environment"' EXIT
settings >"$environment"
image=$(image)

# CPU without requests, because an instance listens to the others' decisions and does upkeep. An hour is the longest that Cloud Run leaves a
# WebSocket open. Traffic comes to an instance once it is ready; later only its death restarts it, never an outage of Firestore.
gcloud run deploy vigil --region="$REGION" --image="$image" --service-account="$(account service)" --env-vars-file="$environment" \
    --allow-unauthenticated --port=8080 --execution-environment=gen2 --cpu=1 --memory=1Gi --no-cpu-throttling --cpu-boost \
    --min-instances="${MIN_INSTANCES:-2}" --max-instances="${MAX_INSTANCES:-10}" --concurrency=1000 --timeout=3600 \
    --startup-probe=httpGet.path=/readyz,httpGet.port=8080,periodSeconds=2,timeoutSeconds=2,failureThreshold=60 \
    --liveness-probe=httpGet.path=/healthz,httpGet.port=8080,periodSeconds=10,timeoutSeconds=5,failureThreshold=3
url vigil
