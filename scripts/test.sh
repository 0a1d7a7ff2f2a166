#!/usr/bin/env bash
# Runs every check of the project. Installs what it needs with apt-get when that is missing and allowed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/need.sh cmake clang libclang-dev g++ python3 python3-pip python3-venv
export CARGO_TERM_COLOR=never
cargo fmt --all --check
cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
cargo test --workspace --all-features --locked
