#!/bin/sh
# Looks at the scripts of deploy/gcloud with ShellCheck, and at the commands that they run (deploy/gcloud/testdata/commands.txt, which a test
# keeps true) with the linter that comes with gcloud: it knows every command and flag of the installed version, and asks no network.
set -eu

fail() {
    echo "vigil: $1" >&2
    exit 1
}

command -v shellcheck >/dev/null || fail "no ShellCheck: apt-get install shellcheck"
command -v gcloud >/dev/null || fail "no gcloud: https://cloud.google.com/sdk/docs/install"
cd "$(dirname "$0")/.."
shellcheck -x scripts/*.sh deploy/gcloud/*.sh

wrong=0
while IFS= read -r line; do
    case $line in gcloud\ *) ;; *) continue ;; esac
    said=$(gcloud meta lint-gcloud-commands --command-string="$line" </dev/null 2>&1) || fail "gcloud cannot check: $said"
    case $said in
        *'"success": true'*) ;;
        *)
            wrong=1
            printf '%s\n' "$line"
            printf '%s\n' "$said" | sed -n 's/.*"error_message": "\([^"]*\)".*/  \1/p'
            ;;
    esac
done <deploy/gcloud/testdata/commands.txt
[ "$wrong" -eq 0 ] || fail "gcloud does not know these commands"
