"""Shows a few accepted rows of a run, each beside the seed that it was made from.

    rows.py OUT          (the folder that holds the runs; example.sh calls it)

Standard library only.
"""

import json
import os
import sys

SHOWN = 4


def last_paragraph(row, role):
    """The question or the answer without the passage before it."""
    text = next(message["content"] for message in row["messages"] if message["role"] == role)
    return text.rsplit("\n\n", 1)[-1]


def main(out):
    runs = [os.path.join(out, name) for name in os.listdir(out)]
    run = max(runs, key=os.path.getmtime)
    with open(os.path.join(run, "dataset/jsonl/train.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    seeds = {row["id"]: row for row in rows if row["provenance"]["origin"] == "human"}
    made = [row for row in rows if row["provenance"]["origin"] == "synthetic"]
    if not made:
        return
    print(f"\n{min(SHOWN, len(made))} of the {len(made)} new rows, each beside its seed:")
    for row in made[:: max(1, len(made) // SHOWN)][:SHOWN]:
        print(f"  seed      {last_paragraph(seeds[row['provenance']['seed_id']], 'user')}")
        print(f"  new       {last_paragraph(row, 'user')}")
        print(f"  answer    {last_paragraph(row, 'assistant')}")
        print(f"  row       {row['id'][:12]}\n")
    program = os.environ.get("GRISTMILL", "gristmill")
    print(f"One row's whole history: {program} trace {os.path.relpath(run)} {made[0]['id'][:12]}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: rows.py OUT")
    main(sys.argv[1])
