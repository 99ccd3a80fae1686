#!/bin/sh
# Starts and stops a throwaway PostgreSQL for tests.
#
#   eval "$(scripts/test_postgres.sh start)"    sets OCELLUS_TEST_PG (the URL) and OCELLUS_TEST_PG_DIR
#   scripts/test_postgres.sh stop               stops what OCELLUS_TEST_PG_DIR names, and removes it
#   scripts/test_postgres.sh run COMMAND...     starts, runs the command, stops, returns its status
#
# The server keeps its data in a new folder under ${TMPDIR:-/tmp}, listens on a free port of 127.0.0.1,
# does not flush to the disk, and stops by itself when its folder is removed. As root it runs as the
# user `postgres`, because PostgreSQL refuses to run as root; otherwise as the caller.
# `start` while OCELLUS_TEST_PG_DIR names a running server prints that one again.
set -eu

fail() {
    echo "test_postgres: $*" >&2
    exit 1
}

# Runs a command as the user that may run the server, without the caller's environment of PostgreSQL.
as_server() {
    if [ "$(id -u)" -ne 0 ]; then
        env -u PGDATA -u PGPORT -u PGHOST "$@"
    elif command -v runuser >/dev/null 2>&1; then
        runuser -u "$SERVER_USER" -- "$@"
    else
        command -v su >/dev/null 2>&1 || fail "needs runuser or su to leave root"
        quoted=""
        for word in "$@"; do
            quoted="$quoted '$(printf %s "$word" | sed "s/'/'\\\\''/g")'"
        done
        su -s /bin/sh "$SERVER_USER" -c "$quoted"
    fi
}

# The folder of the server's programs: the newest that is installed.
find_bin() {
    for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
        /usr/local/opt/postgresql*/bin 2>/dev/null | sort -Vr); do
        if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
            echo "$dir"
            return 0
        fi
    done
    initdb=$(command -v initdb 2>/dev/null) || return 1
    dirname "$initdb"
}

install_server() {
    hint="install the PostgreSQL server (Debian, Ubuntu: apt-get install postgresql)"
    [ "$(id -u)" -eq 0 ] || fail "initdb not found; $hint"
    command -v apt-get >/dev/null 2>&1 || fail "initdb not found; $hint"
    echo "test_postgres: installing postgresql" >&2
    # Without its own cluster: the tests make one.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >&2 || {
        apt-get update >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >&2
    } || fail "apt-get could not install postgresql; $hint"
}

pick_user() {
    SERVER_USER=$(id -un)
    [ "$(id -u)" -eq 0 ] || return 0
    for user in postgres nobody; do
        if id "$user" >/dev/null 2>&1; then
            SERVER_USER=$user
            return 0
        fi
    done
    fail "needs a user other than root to run the server"
}

is_running() {
    [ -n "${1:-}" ] && [ -d "$1/data" ] && as_server "$BIN/pg_ctl" -D "$1/data" status >/dev/null 2>&1
}

print_it() {
    port=$(sed -n 4p "$1/data/postmaster.pid")
    echo "export OCELLUS_TEST_PG='postgres://ocellus@127.0.0.1:$port/postgres'"
    echo "export OCELLUS_TEST_PG_DIR='$1'"
}

# A port that nobody listens on; another process may take it meanwhile, hence the tries in `start`.
pick_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
        awk 'BEGIN { srand(); print 20000 + int(rand() * 12000) }'
}

start() {
    BIN=$(find_bin) || {
        install_server
        BIN=$(find_bin) || fail "postgresql is installed, but initdb is not where it should be"
    }
    pick_user
    if is_running "${OCELLUS_TEST_PG_DIR:-}"; then
        print_it "$OCELLUS_TEST_PG_DIR"
        return 0
    fi
    dir=$(mktemp -d "${TMPDIR:-/tmp}/ocellus-pg.XXXXXX")
    chmod 755 "$dir"
    mkdir "$dir/data" "$dir/socket"
    [ "$(id -u)" -ne 0 ] || chown "$SERVER_USER" "$dir/data" "$dir/socket"
    # The server's user may not be allowed into the caller's folder.
    cd "$dir"
    as_server "$BIN/initdb" -D "$dir/data" -U ocellus --auth=trust --encoding=UTF8 --locale=C \
        --no-sync >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        rm -rf "$dir"
        fail "initdb failed"
    }
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir/socket'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 256MB
shared_buffers = 64MB
max_locks_per_transaction = 256
CONF
    for _ in 1 2 3 4 5; do
        echo "port = $(pick_port)" >>"$dir/data/postgresql.conf"
        if as_server "$BIN/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 start >&2 </dev/null; then
            print_it "$dir"
            return 0
        fi
    done
    cat "$dir/data/server.log" >&2 || true
    rm -rf "$dir"
    fail "the server did not start"
}

stop() {
    dir=${OCELLUS_TEST_PG_DIR:-}
    # Nothing was started, or it is gone already; and never remove a folder that is not ours.
    case "$dir" in
    */ocellus-pg.*) ;;
    *) return 0 ;;
    esac
    [ -d "$dir" ] || return 0
    BIN=$(find_bin) || fail "pg_ctl not found"
    pick_user
    cd "$dir"
    if is_running "$dir"; then
        as_server "$BIN/pg_ctl" -D "$dir/data" -m immediate -w -t 30 stop >&2 || fail "could not stop the server in $dir"
    fi
    cd /
    rm -rf "$dir"
}

run() {
    [ "$#" -gt 0 ] || fail "run needs a command"
    here=$PWD
    settings=$(start)
    eval "$settings"
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    cd "$here"
    status=0
    "$@" || status=$?
    exit "$status"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
run)
    shift
    run "$@"
    ;;
*)
    sed -n '2,7p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
    ;;
esac
