#!/usr/bin/env bash
# Runs the main job on this machine: fetches the handbook, builds the program with local models, makes the dataset.
# Installs what it needs with apt-get when that is missing and allowed; asks for nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/need.sh cmake clang libclang-dev g++ python3 python3-pip
examples/handbook/fetch.sh
program=${CARGO_TARGET_DIR:-target}/release/gristmill
[ -x "$program" ] || printf 'example.sh: building; the first time this takes some minutes\n' >&2
cargo build --release --locked -p gristmill --features local-model
"$program" run examples/handbook/job.yaml "$@"
GRISTMILL=$program python3 examples/handbook/rows.py examples/handbook/out
