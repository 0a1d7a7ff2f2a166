#!/usr/bin/env bash
# Runs the main job on this machine: fetches the handbook, builds the program with local models, makes the dataset.
# Installs what it needs with apt-get when that is missing and allowed; asks for nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/need.sh cmake clang libclang-dev g++ python3 python3-pip
examples/handbook/fetch.sh
cargo build --release --locked -p gristmill --features local-model
exec "${CARGO_TARGET_DIR:-target}/release/gristmill" run examples/handbook/job.yaml "$@"
