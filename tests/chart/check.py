"""Checks deploy/chart: see scripts/chart.sh. Prints what it looked at, and ends with 1 and a list when something is wrong."""

import argparse
import os
import pathlib
import shutil
import sys

import manifests
import observability
import pods
import program
import values

HERE = pathlib.Path(__file__).resolve().parents[2]
CHART = HERE / "deploy/chart"


def crds(path):
    """The folder of the custom resource definitions, which are other projects' files and not kept here.

    As with the real data of other tests: a machine without them says so, and one that calls itself CI fails.
    """
    folder = pathlib.Path(path or os.environ.get("GRISTMILL_SCHEMAS") or HERE.parent / "shared/schemas")
    if list(folder.glob("*.yaml")):
        return folder
    if os.environ.get("CI"):
        sys.exit(f"{folder} has no custom resource definitions: fetch those of KEDA, Prometheus Operator and RabbitMQ's operator, and name"
                 " their folder in GRISTMILL_SCHEMAS")
    print(f"NOT CHECKED: {folder} has no custom resource definitions (GRISTMILL_SCHEMAS names another folder)")
    return None


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--helm", required=True)
    parse.add_argument("--schemas", help="folder of custom resource definitions")
    parse.add_argument("--program", help="`gristmill`, to have it read the arguments that the chart gives it")
    parse.add_argument("--render", metavar="FOLDER", help="also writes the manifests of each set of values there, as JSON")
    args = parse.parse_args()

    helm = manifests.Helm(args.helm, CHART)
    check = manifests.Checker(crds(args.schemas))
    wrong = []
    for file in sorted((CHART / "ci").glob("*.yaml")):
        wrong += [f"{file.name}: {line}" for line in helm.lint(file)]
        rendered = helm.render(file)
        for found in (check.all(rendered), pods.all(rendered), pods.scaling(rendered), observability.rendered(rendered)):
            wrong += [f"{file.name}: {line}" for line in found]
        if args.program:
            wrong += [f"{file.name}: {line}" for line in program.all(pathlib.Path(args.program).resolve(), rendered)]
        if args.render:
            manifests.write(pathlib.Path(args.render) / f"{file.stem}.json", rendered)
        print(f"{file.name}: {len(rendered)} manifests, {pods.count(rendered)} of them with pods")
    wrong += values.refused(helm)
    wrong += values.documented(CHART)
    wrong += values.page(helm, (HERE / "docs/kubernetes.md").read_text())
    if promtool := shutil.which("promtool"):
        wrong += observability.rules(promtool, CHART / "observability")
    else:
        wrong.append("promtool is needed: Debian has it in `prometheus`")
    wrong += observability.dashboards(CHART / "observability/dashboards")
    for line in wrong:
        print(f"WRONG  {line}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
