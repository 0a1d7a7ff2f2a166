#!/usr/bin/env bash
# Runs a whole cluster on this machine without containers: RabbitMQ, Redis, coordinators and workers as processes of their own, on free
# ports, with their data in one folder. Prints where to submit to, waits, and on Ctrl-C stops all of it in order.
# Installs RabbitMQ and Redis with apt-get when they are missing and allowed.
#
#   cluster.sh [--workers N] [--coordinators N] [--slots N] [--stages LIST] [--keys LIST] [--endpoints LIST] [--tokens FILE] [--store PATH_OR_URL] [--program PATH] [--folder PATH]
#
#   --workers N          worker processes (2)
#   --coordinators N     coordinator processes (1)
#   --slots N            tasks that a worker has in hand at once (64)
#   --stages LIST        what the workers do (generate,judge,embed)
#   --keys LIST          environment variables that jobs may name as `key_env` or `header_env`, each with the host that it may be sent to, joined
#                        by commas: NAME@api.example.com; without a host, to this machine only (those in GRISTMILL_KEYS; else none)
#   --endpoints LIST     the only hosts that jobs may have requests sent to, joined by commas (those in GRISTMILL_ENDPOINTS; else all but
#                        link-local addresses)
#   --tokens FILE        who may use the cluster, a line each: `operator TOKEN [NAME]` or `viewer TOKEN [NAME]` (else everyone on this machine)
#   --store PATH_OR_URL  where seeds, segments and datasets go (a folder beside the other data)
#   --program PATH       the `gristmill` to run (the release build; built when it is not there)
#   --folder PATH        where everything is kept (a new temporary folder); an old one goes on where it stopped
#
# What is in the folder is readable by its user only, logs are continued, and all ports are on 127.0.0.1.
# A folder that was made up is removed at the end if nothing was submitted; else it stays, and its name is printed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

workers=2 coordinators=1 slots=64 stages=generate,judge,embed keys=${GRISTMILL_KEYS:-} endpoints=${GRISTMILL_ENDPOINTS:-} tokens='' store='' program='' folder='' made_up=''

fail() {
    printf 'cluster.sh: %s\n' "$*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --workers | --coordinators | --slots | --stages | --keys | --endpoints | --tokens | --store | --program | --folder)
        [ $# -ge 2 ] || fail "$1 needs a value"
        printf -v "${1#--}" %s "$2"
        shift
        ;;
    -h | --help)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *) fail "there is no option $1; --help names them" ;;
    esac
    shift
done
for number in "$workers" "$coordinators" "$slots"; do
    [[ $number =~ ^[1-9][0-9]{0,3}$ ]] || fail "$number is no number of processes or slots"
done

for key in ${keys//,/ }; do
    # A job that names a key without a value would wait for a worker that has it.
    name=${key%%@*}
    [ -n "${!name:-}" ] || fail "--keys names $name, and that variable is not set"
done

if [ -n "$tokens" ]; then
    [ -r "$tokens" ] || fail "--tokens names $tokens, and that file cannot be read"
    tokens=$(realpath -- "$tokens")
fi

"$here/scripts/need.sh" redis-server rabbitmq-server
if [ -z "$program" ]; then
    program=${CARGO_TARGET_DIR:-$here/target}/release/gristmill
    [ -x "$program" ] || (cd "$here" && cargo build --release --locked -p gristmill)
fi
program=$(realpath -e -- "$program") || fail 'there is no such program'

# What is kept from here on, prompts and answers among it, is nobody else's.
umask 077
if [ -n "$folder" ]; then
    mkdir -p -- "$folder"
else
    folder=$(mktemp -d "${TMPDIR:-/tmp}/gristmill-cluster-XXXXXX")
    made_up=yes
fi
folder=$(realpath -- "$folder")
mkdir -p "$folder"/{redis,rabbitmq,logs,store,ports}
# Those of an earlier version may be open.
chmod 700 "$folder"/{redis,rabbitmq,logs,store,ports}
store=${store:-$folder/store}
# Two at once would be one broker under two names.
exec 9>"$folder/lock"
flock -n 9 || fail "another cluster.sh works in $folder: stop that one, or name another --folder"

# ---- processes -------------------------------------------------------------------------------------------------------------------------

names=() pids=() # in the order of their start
servers=() submitted='' epmd_port=''

# Where a name's log goes. What is there is continued: it says why the process ended that is started again.
log_of() {
    local log=$folder/logs/$1.log
    [ ! -s "$log" ] || printf -- '---- started again at %(%FT%TZ)T ----\n' -1 >>"$log"
    printf '%s\n' "$log"
}

# Starts a command of a name in a session of its own, so that Ctrl-C reaches this script only, which stops things in order.
start() {
    local name=$1 log
    log=$(log_of "$1")
    shift
    setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
    names+=("$name")
    pids+=($!)
}

runs() { kill -0 "$1" 2>/dev/null; }

show_log() {
    printf 'cluster.sh: %s ended; the last of its log (%s):\n' "$1" "$folder/logs/$1.log" >&2
    tail -n 20 "$folder/logs/$1.log" >&2 || true
}

# Asks what starts with a name to end, all of it at once, and waits; what does not end in time is killed with all of its group.
stop() {
    local what=$1 seconds=$2 i deadline
    for i in "${!names[@]}"; do
        [[ ${names[i]} != "$what"* ]] || kill -TERM "${pids[i]}" 2>/dev/null || true
    done
    deadline=$((SECONDS + seconds))
    for i in "${!names[@]}"; do
        [[ ${names[i]} == "$what"* ]] || continue
        while runs "${pids[i]}" && [ "$SECONDS" -lt "$deadline" ] && [ -z "$hurry" ]; do sleep 0.1; done
        if runs "${pids[i]}"; then printf 'cluster.sh: %s is killed\n' "${names[i]}" >&2; fi
        kill -KILL -- "-${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
}

hurry=''
finish() {
    local status=$?
    trap - EXIT
    # A second Ctrl-C does not wait for work in hand.
    trap 'hurry=yes' INT TERM
    [ ${#pids[@]} -eq 0 ] || printf 'cluster.sh: stopping (again for at once)\n' >&2
    # What cannot be asked is taken for something.
    if [ -n "$tokens" ]; then
        GRISTMILL_TOKEN=$(awk '$1 == "operator" || $1 == "viewer" { print $2; exit }' "$tokens")
        export GRISTMILL_TOKEN
    fi
    [ ${#servers[@]} -gt 0 ] && [ -z "$("$program" runs --server "${servers[0]}" --output json 2>&1)" ] || submitted=${servers[0]:-}
    stop worker 120
    stop coordinator 30
    stop rabbitmq 60
    stop redis 30
    # Erlang's port mapper stays behind its node.
    [ -z "$epmd_port" ] || epmd -port "$epmd_port" -kill >/dev/null 2>&1 || true
    if [ -n "$made_up" ] && [ -z "$submitted" ]; then
        rm -rf -- "$folder"
    else
        printf 'cluster.sh: everything is in %s; `--folder %s` goes on with it\n' "$folder" "$folder" >&2
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- ports ------------------------------------------------------------------------------------------------------------------------------

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

taken=' '
# Finds a port on which nobody listens, below those that systems give to outgoing connections.
free_port() {
    local try
    for try in {1..200}; do
        port=$((15000 + RANDOM % 15000))
        if [[ $taken != *" $port "* ]] && ! listens "$port"; then
            taken+="$port "
            return
        fi
    done
    fail "no port is free after $try tries"
}

# The port that a name had when the folder was last used, if it is free: whoever watches finds it again.
kept_port() {
    local file=$folder/ports/$1
    if [ -s "$file" ] && port=$(<"$file") && ! listens "$port"; then
        taken+="$port "
    else
        free_port
    fi
    printf '%s\n' "$port" >"$file"
}

# Waits until a check passes; gives up when the process that it is about has ended, or in time.
await() {
    local name=$1 seconds=$2 deadline=$((SECONDS + $2)) pid=${pids[-1]}
    shift 2
    until "$@"; do
        if ! runs "$pid"; then
            show_log "$name"
            exit 1
        fi
        [ "$SECONDS" -lt "$deadline" ] || fail "$name is not ready after $seconds s; its log is $folder/logs/$name.log"
        sleep 0.1
    done
}

# Whether a process says that it is ready.
ready() {
    local line=''
    {
        exec 3<>"/dev/tcp/127.0.0.1/$1" &&
            printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 &&
            read -r -t 5 line <&3
        exec 3>&-
    } 2>/dev/null || return 1
    [[ $line == *' 200 '* ]]
}

pongs() { [ "$(redis-cli -h 127.0.0.1 -p "$1" ping 2>/dev/null)" = PONG ]; }

# Whether the broker answers a client's greeting with a frame (AMQP 0-9-1, section 4.2.2): it listens, and its applications are up.
greets() {
    local byte=''
    {
        exec 3<>"/dev/tcp/127.0.0.1/$1" &&
            printf 'AMQP\x00\x00\x09\x01' >&3 &&
            byte=$(timeout 5 head -c 1 <&3 | od -An -tu1)
        exec 3>&-
    } 2>/dev/null || return 1
    [ "${byte// /}" = 1 ]
}

# ---- Redis: every write on disk before it is answered, and nothing evicted ---------------------------------------------------------------

free_port
redis_port=$port
start redis redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$folder/redis" \
    --appendonly yes --appendfsync always --save '' --maxmemory-policy noeviction
await redis 30 pongs "$redis_port"
redis="redis://127.0.0.1:$redis_port/0"

# ---- RabbitMQ: a node apart from the system's --------------------------------------------------------------------------------------------

rabbit=$folder/rabbitmq
free_port
management_port=$port
free_port
prometheus_port=$port
cat >"$rabbit/rabbitmq.conf" <<CONF
loopback_users = none
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 1GB
management.tcp.ip = 127.0.0.1
management.tcp.port = $management_port
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $prometheus_port
CONF
printf '[rabbitmq_management,rabbitmq_prometheus].\n' >"$rabbit/enabled_plugins"
printf '[].\n' >"$rabbit/advanced.config"
: >"$rabbit/environment"
as_rabbit=()
if [ "$(id -u)" = 0 ]; then
    # Erlang's distribution is better not root, and the node must reach its folder.
    chmod 711 "$folder"
    chown -R rabbitmq: "$rabbit"
    as_rabbit=(setpriv --reuid rabbitmq --regid rabbitmq --init-groups)
fi
# The start scripts on the path insist on being root or `rabbitmq`; these are the server's own.
programs=/usr/lib/rabbitmq/bin
[ -x $programs/rabbitmq-server ] || programs=$(dirname "$(command -v rabbitmq-server)")

free_port
broker_port=$port
# A port mapper of its own: one that the system has may listen on all addresses.
free_port
epmd_port=$port
free_port
# A folder that is used again must find its node under the old name.
[ -s "$rabbit/node" ] || printf 'gristmill-cluster-%s@localhost' "$broker_port" >"$rabbit/node"
start rabbitmq env -C "$rabbit" -i "${as_rabbit[@]}" env PATH="$PATH" LANG=C.UTF-8 HOME="$rabbit" \
    RABBITMQ_NODENAME="$(cat "$rabbit/node")" \
    ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$epmd_port" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$broker_port" RABBITMQ_DIST_PORT="$port" \
    RABBITMQ_MNESIA_BASE="$rabbit/data" RABBITMQ_LOG_BASE="$rabbit/log" RABBITMQ_LOGS=- \
    RABBITMQ_FEATURE_FLAGS_FILE="$rabbit/feature_flags" RABBITMQ_ENABLED_PLUGINS_FILE="$rabbit/enabled_plugins" \
    RABBITMQ_PID_FILE="$rabbit/pid" RABBITMQ_CONF_ENV_FILE="$rabbit/environment" \
    RABBITMQ_CONFIG_FILE="$rabbit/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$rabbit/advanced.config" \
    "$programs/rabbitmq-server"
await rabbitmq 120 greets "$broker_port"
broker="amqp://guest:guest@127.0.0.1:$broker_port/%2f"
export GRISTMILL_MANAGEMENT="http://guest:guest@127.0.0.1:$management_port"

# ---- Gristmill ---------------------------------------------------------------------------------------------------------------------------

export GRISTMILL_REDIS=$redis GRISTMILL_BROKER=$broker GRISTMILL_STORE=$store GRISTMILL_KEYS=$keys GRISTMILL_ENDPOINTS=$endpoints
setup=$(log_of setup)
"$program" broker setup >>"$setup" 2>&1 || {
    tail -n 20 "$setup" >&2
    fail 'the broker could not be set up'
}

watched=("rabbitmq http://127.0.0.1:$prometheus_port/metrics")
for number in $(seq "$coordinators"); do
    kept_port "coordinator-$number"
    listen=$port
    # Open pages of the dashboard find it again.
    kept_port "coordinator-$number-http"
    start "coordinator-$number" "$program" coordinator --listen "127.0.0.1:$listen" --http "127.0.0.1:$port" ${tokens:+--tokens "$tokens"}
    await "coordinator-$number" 60 ready "$port"
    servers+=("http://127.0.0.1:$listen")
    watched+=("coordinator-$number http://127.0.0.1:$port/metrics" "dashboard http://127.0.0.1:$port/")
done
for number in $(seq "$workers"); do
    free_port
    # A name that no earlier start had: who was told to drain is remembered by name.
    name=worker-$number-$$
    start "$name" "$program" worker --name "$name" --stages "$stages" --slots "$slots" --http "127.0.0.1:$port"
    await "$name" 60 ready "$port"
    watched+=("$name http://127.0.0.1:$port/metrics")
done

printf '%s\n' "${servers[@]}"
{
    printf 'Redis %s   RabbitMQ %s   logs %s/logs\n' "$redis" "$broker" "$folder"
    printf 'RabbitMQ management page http://127.0.0.1:%s, user and password guest\n' "$management_port"
    printf '%s\n' "${watched[@]}"
    if [ -n "$keys" ]; then
        printf 'Jobs may use the keys in %s.\n' "$keys"
    else
        printf 'Jobs may use no keys: start with --keys NAME@HOST, or GRISTMILL_KEYS, to let them name variables as `key_env`.\n'
    fi
    printf 'Runs, with datasets and reports, go to %s\n\n' "$store"
    printf 'export GRISTMILL_SERVER=%s\n' "${servers[0]}"
    [ -z "$tokens" ] || printf 'export GRISTMILL_TOKEN=TOKEN    # one of an operator, the second word of its line in %s\n' "$tokens"
    printf '%s submit JOB.yaml --watch\n\n' "$program"
    printf 'Ctrl-C stops everything.\n'
} >&2

# Those who are left go on without one that ended, as a cluster does. Drained workers end well, and others can be started; without a server,
# or once the last of a kind has failed, there is nothing to wait for.
while [ ${#pids[@]} -gt 0 ]; do
    ended='' status=0
    wait -n -p ended "${pids[@]}" 2>/dev/null || status=$?
    [ -n "$ended" ] || break
    for i in "${!pids[@]}"; do
        [ "${pids[i]}" = "$ended" ] || continue
        name=${names[i]}
        unset 'pids[i]' 'names[i]'
    done
    if [[ $name == worker-* && $status = 0 ]]; then
        printf 'cluster.sh: %s has finished what it had and ended\n' "$name" >&2
        [[ " ${names[*]}" == *' worker-'* ]] ||
            printf 'No worker is left. To start one, where the keys that it may give are set:\n  GRISTMILL_REDIS=%q GRISTMILL_BROKER=%q GRISTMILL_STORE=%q GRISTMILL_KEYS=%q %q worker --http 127.0.0.1:0\n' \
                "$redis" "$broker" "$store" "$keys" "$program" >&2
        continue
    fi
    show_log "$name"
    [[ " ${names[*]}" == *" ${name%%-*}-"* ]] || break
done
exit 1
