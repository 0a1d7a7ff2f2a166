#!/usr/bin/env bash
# Checks that the program compiles without features and with each of them alone, and that its own tests pass without any.
# Takes long the first time: many dependencies are compiled again for each set of features. Installs what it needs with apt-get.
#
#   features.sh        all but `local-model`
#   features.sh full   also `local-model`, for which llama.cpp is built; needs cmake and clang
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never
features=(cluster dashboard documents embedder object-storage trainer)
scripts/need.sh g++
if [ "${1:-}" = full ]; then
    features+=(local-model)
    scripts/need.sh cmake clang libclang-dev
fi
program=(--locked -p gristmill --no-default-features)
cargo clippy "${program[@]}" --all-targets -- -D warnings
for feature in "${features[@]}"; do
    printf 'features.sh: only %s\n' "$feature" >&2
    cargo clippy "${program[@]}" --features "$feature" -- -D warnings
done
cargo test "${program[@]}"
