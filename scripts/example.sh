#!/usr/bin/env bash
# Runs the main job on this machine: fetches the handbook and a model, builds the program with local models, makes the dataset.
# Installs what it needs with apt-get when that is missing and allowed; asks for nothing.
#
#   example.sh [OPTION]...              options go to `gristmill run`: `--set budget.calls=50`
#   MODEL=qwen-1.5b example.sh          a model three times as large, for machines with eight cores or more
#   MODEL=smollm2 example.sh            a model a quarter as large: a download of 92 MB instead of 491 MB, and fewer right answers
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case ${1:-} in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;; esac
case ${MODEL:=qwen-0.5b} in
qwen-0.5b) model=qwen2.5-coder-0.5b-instruct ;;
qwen-1.5b) model=qwen2.5-coder-1.5b-instruct ;;
smollm2) model=smollm2-135m-instruct ;;
*)
    printf 'example.sh: no model `%s`: set MODEL to qwen-0.5b (the default), qwen-1.5b or smollm2\n' "$MODEL" >&2
    exit 2
    ;;
esac
scripts/need.sh cmake clang libclang-dev g++ python3 python3-pip
examples/handbook/fetch.sh
if [ "$MODEL" != smollm2 ]; then
    python3 examples/handbook/model.py "$model" examples/handbook/build
    model=build/$model.gguf
fi
program=${CARGO_TARGET_DIR:-target}/release/gristmill
[ -x "$program" ] || printf 'example.sh: building; the first time this takes some minutes\n' >&2
# What the job does not use is left out: a third of the work.
cargo build --release --locked -p gristmill --no-default-features --features embedder,local-model
"$program" run examples/handbook/job.yaml --set teacher.local="$model" "$@"
GRISTMILL=$program python3 examples/handbook/rows.py examples/handbook/out
