#!/bin/bash
# Runs the command that starts nginx, and reloads nginx when an instance of the service starts or ends, for example with
# `docker compose up --scale web=2`.
#
# Each instance listens on a Unix socket in /run/web, see web.py. nginx reads the list of its servers only when
# it starts or is reloaded, so this script writes the list and watches the folder. The list does not change when an
# instance restarts, because it uses the same socket again.
#
# READ_CACHE_SECONDS switches on the cache of reads, see cache/reads.conf. TLS switches on HTTPS, see tls.sh.
set -u
shopt -s nullglob
SOCKETS=${SOCKETS:-/run/web}
PREFIX=${PREFIX:-/tmp}
LIST=$PREFIX/upstream.conf # included by local/upstream.conf
CACHE=$PREFIX/cache.conf   # included by local/cache.conf
. "$(dirname "$0")/tls.sh"

# Log a line in the format of nginx's own log.
log() {
    printf '{"time":"%s","level":"%s","logger":"nginx","request_id":null,"message":"%s"}\n' \
        "$(date --utc +%FT%T.000+00:00)" "$1" "$2" >&2
}

fail() {
    log critical "nginx cannot start. $1"
    exit 1
}

# Write the list if it has changed. While no instance runs, keep the last one: nginx cannot be without any server.
write_list() {
    local sockets=("$SOCKETS"/*.sock)
    ((${#sockets[@]})) || sockets=(${listed[@]+"${listed[@]}"})
    ((${#sockets[@]})) || sockets=("$SOCKETS/1.sock")
    [ "${sockets[*]}" != "${listed[*]-}" ] || return 1
    # nginx does not use a server for ten seconds after it has failed, so a repeated request goes to another one. It may
    # wait in a worker from before a reload, whose list has instances that are gone by now. If all have failed, nginx
    # uses the backups, which are the same servers without such a pause: each attempt is made.
    local socket
    for socket in "${sockets[@]}"; do
        printf 'server unix:%s;\nserver unix:%s backup max_fails=0;\n' "$socket" "$socket"
    done >"$LIST"
    listed=("${sockets[@]}")
}

watch() {
    while sleep 1; do
        ! write_list || kill -HUP "$(<"$PREFIX/nginx.pid")"
        [ "${TLS-}" != mounted ] || renew warning
    done
}

# Write the lines that switch on the cache of reads, or none.
write_cache() {
    local seconds=${READ_CACHE_SECONDS:-0}
    [[ $seconds =~ ^[0-9]{1,4}$ ]] ||
        fail "READ_CACHE_SECONDS must be a whole number of seconds, from 0 (no cache) to 9999."
    : >"$CACHE"
    ((10#$seconds == 0)) || printf 'proxy_cache_valid 200 %ds;\ninclude cache/reads.conf;\n' "$((10#$seconds))" >"$CACHE"
}

write_cache
write_servers
listed=()
write_list
watch &
exec "$@"
