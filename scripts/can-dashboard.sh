#!/bin/sh
# usage: can-dashboard.sh
#
# Succeeds where `make run` can build and start the dashboard, and says in one line why it does without where it cannot.
set -eu

without() {
    echo "vigil: without the dashboard: $1" >&2
    exit 1
}

[ "${DASHBOARD:-}" != off ] || without "DASHBOARD=off"
command -v "${NODE:-node}" >/dev/null && command -v "${NPM:-npm}" >/dev/null || without "it needs Node.js 20 or newer, with npm"
major=$("${NODE:-node}" -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || without "it needs Node.js 20 or newer, and this is $major"
