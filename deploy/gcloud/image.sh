#!/usr/bin/env bash
# Builds the image with Cloud Build, as an account that can write it and read its source, and nothing else.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

image=$(image)
if [[ -z ${TAG-} ]]; then
    # What is uploaded are these files as they are, not as they are in the commit whose name the image would have.
    sources=$(sed -n 's|^!/||p' "$root/.gcloudignore")
    mapfile -t sources <<<"$sources"
    changed=$(git -C "$root" diff --name-only HEAD -- .gcloudignore .gitignore deploy/gcloud/cloudbuild.yaml "${sources[@]}")
    new=$(git -C "$root" ls-files --others --exclude-from="$root/.gitignore" -- "${sources[@]}")
    [[ -z $changed$new ]] || fail "commit these first, or set TAG to the name that this build is to have:"$'\n'"$changed"$'\n'"$new"
fi

bucket=gs://$PROJECT_ID-vigil-build
there storage buckets describe "$bucket" ||
    gcloud storage buckets create "$bucket" --location="$REGION" --uniform-bucket-level-access --public-access-prevention
there artifacts repositories describe vigil --location="$REGION" ||
    gcloud artifacts repositories create vigil --location="$REGION" --repository-format=docker

member=serviceAccount:$(account build)
gcloud storage buckets add-iam-policy-binding "$bucket" --member="$member" --role=roles/storage.objectViewer --format=none
gcloud artifacts repositories add-iam-policy-binding vigil --location="$REGION" --member="$member" \
    --role=roles/artifactregistry.writer --format=none

gcloud builds submit "$root" --config="$root/deploy/gcloud/cloudbuild.yaml" --substitutions="_IMAGE=$image" \
    --service-account="projects/$PROJECT_ID/serviceAccounts/$(account build)" --gcs-source-staging-dir="$bucket/source"
echo "$image"
