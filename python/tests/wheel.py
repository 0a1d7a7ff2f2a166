"""What `scripts/wheel.sh check` has an installed wheel do: `wheel.py MODEL_URL SEEDS STORE`, with GRISTMILL_SERVER set."""

import sys
from pathlib import Path

import gristmill


def main(model: str, seeds: str, store: str) -> None:
    job = {
        "seeds": {"path": seeds},
        "teacher": {"base_url": model, "model": "sim"},
        "embed": {"model": "off"},
        "filter": {"validator": {"kind": "number"}},
        "budget": {"calls": 400},
    }
    with gristmill.Client() as client:
        run = client.submit(job, name="wheel")
        for progress in run.watch():
            print(f"{progress.state:<10} {progress.phase:<12} {progress.accepted:>4} accepted, {progress.spent.calls:>4} calls")
        assert progress.state is gristmill.RunState.FINISHED
        frame = run.rows()
        assert len(frame) == progress.accepted > 0
        print(frame[["id", "round", "strategy", "question", "answer", "votes", "calls"]].head().to_string(max_colwidth=40))
        dataset = gristmill.load(Path(store) / run.id)
        print(f"{len(frame)} rows of {run.id}, {len(dataset)} in its training set; gristmill {gristmill.__version__} at {gristmill.program()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
