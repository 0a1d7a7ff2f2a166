#!/usr/bin/env bash
# Runs the project's checks. Installs what it needs with apt-get when that is missing and allowed.
#
#   test.sh        everyday: formatting, lints, all tests but those of the local model
#   test.sh full   also builds llama.cpp and runs a real model through it; needs cmake and clang
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never
what=(--workspace --exclude gristmill-local-model --locked)
if [ "${1:-}" = full ]; then
    # Not all features: `cuda` needs the CUDA toolkit.
    what=(--workspace --features gristmill/local-model --locked)
    scripts/need.sh cmake clang libclang-dev
fi
scripts/need.sh g++ python3 python3-pip python3-venv redis-server rabbitmq-server faketime prometheus
cargo fmt --all --check
cargo clippy "${what[@]}" --all-targets -- -D warnings
# The system tests run the program that stands beside them. Built together with the tests, nothing is compiled twice.
cargo build "${what[@]}" --bins --tests
cargo test "${what[@]}"
