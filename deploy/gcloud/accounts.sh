#!/usr/bin/env bash
# Enables the APIs, and makes the service accounts with the roles that each needs and no others.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"

apis=(artifactregistry cloudbuild cloudscheduler eventarc eventarcpublishing firebaserules firestore iam identitytoolkit logging pubsub run storage)
gcloud services enable "${apis[@]/%/.googleapis.com}"

# role NAME PERMISSIONS TITLE: a role of this project.
role() {
    local deleted
    if there iam roles describe "$1" --project="$PROJECT_ID"; then
        # For a week a deleted role is still there, but cannot be changed.
        deleted=$(gcloud iam roles describe "$1" --project="$PROJECT_ID" --format='value(deleted)')
        [[ $deleted != [Tt]rue ]] || gcloud iam roles undelete "$1" --project="$PROJECT_ID"
        gcloud iam roles update "$1" --project="$PROJECT_ID" --permissions="$2"
    else
        gcloud iam roles create "$1" --project="$PROJECT_ID" --permissions="$2" --title="$3" --stage=GA
    fi
}

make() {
    there iam service-accounts describe "$(account "$1")" ||
        gcloud iam service-accounts create "vigil-$1" --display-name="$2"
}

# grant NAME ROLE: an account that has just been made is not known everywhere at once.
grant() {
    local attempt
    for attempt in 1 2 3 4 5 6; do
        ! gcloud projects add-iam-policy-binding "$PROJECT_ID" --member="serviceAccount:$(account "$1")" --role="$2" \
            --condition=None --format=none || return 0
        echo "attempt $attempt: $2 for $1 not granted yet" >&2
        sleep 5
    done
    fail "$2 cannot be granted to $1"
}

# Firebase Authentication's own role for this can also change the project's configuration and read its password hashes.
role vigilAccounts firebaseauth.users.get,firebaseauth.users.update "Vigil: look accounts up, change and revoke them"
role vigilAccountDeletion firebaseauth.users.delete "Vigil: delete accounts"

make service "Vigil: the service"
make functions "Vigil: functions on its documents"
make signin "Vigil: the function before sign-ins, without any role"
make events "Vigil: delivers events to the functions"
make scheduler "Vigil: calls the clean-up"
make build "Vigil: builds the image"

grant service roles/datastore.user
grant service "projects/$PROJECT_ID/roles/vigilAccounts"
grant service "projects/$PROJECT_ID/roles/vigilAccountDeletion"
grant functions roles/datastore.user
grant functions "projects/$PROJECT_ID/roles/vigilAccounts"
grant functions "projects/$PROJECT_ID/roles/vigilAccountDeletion"
grant events roles/eventarc.eventReceiver
grant build roles/logging.logWriter
