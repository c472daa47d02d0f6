#!/usr/bin/env bash
# Makes the database where there is none, and deploys the indexes with the TTL policies and, with RULES=replace, the security rules.
# shellcheck source=deploy/gcloud/common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
[[ -z ${RULES-} || $RULES == replace ]] || fail "RULES is '$RULES': replace, or nothing"

firebase=${FIREBASE:-$root/tools/firebase/node_modules/.bin/firebase} # the one that the tests use, once they have run
[[ -x $firebase ]] || firebase=firebase
tool "$firebase"

if ! there firestore databases describe --database='(default)'; then
    need DATABASE_LOCATION "where the database is to be, for good, such as eur3"
    gcloud firestore databases create --database='(default)' --location="$DATABASE_LOCATION" --type=firestore-native --delete-protection
fi

# A project has one set of rules, and deploying ours would replace those of its own application without a word.
what=firestore:indexes
[[ -z ${RULES-} ]] || what=firestore
# Without --force nothing is deleted that the file does not have.
cd "$root"
"$firebase" deploy --only "$what" --project "$PROJECT_ID" --non-interactive
