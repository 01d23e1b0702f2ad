#!/bin/bash
# Runs the command that starts nginx, and reloads nginx when an instance of the service starts or ends, for example with
# `docker compose up --scale web=2`.
#
# Each instance listens on a Unix socket in /run/web, see web.py. nginx reads the list of its servers only when
# it starts or is reloaded, so this script writes the list and watches the folder. The list does not change when an
# instance restarts, because it uses the same socket again.
#
# READ_CACHE_SECONDS switches on the cache of reads, see cache/reads.conf.
set -u
shopt -s nullglob
SOCKETS=${SOCKETS:-/run/web}
PREFIX=${PREFIX:-/tmp}
LIST=$PREFIX/upstream.conf # included by local/upstream.conf
CACHE=$PREFIX/cache.conf   # included by local/cache.conf

# Write the list if it has changed. While no instance runs, keep the last one: nginx cannot be without any server.
write_list() {
    local sockets=("$SOCKETS"/*.sock)
    ((${#sockets[@]})) || sockets=(${listed[@]+"${listed[@]}"})
    ((${#sockets[@]})) || sockets=("$SOCKETS/1.sock")
    [ "${sockets[*]}" != "${listed[*]-}" ] || return 1
    # max_fails=0: keep using a server after a failure. It restarts, or it is removed from the list in a second.
    printf 'server unix:%s max_fails=0;\n' "${sockets[@]}" >"$LIST"
    listed=("${sockets[@]}")
}

watch() {
    while sleep 1; do
        ! write_list || kill -HUP "$(<"$PREFIX/nginx.pid")"
    done
}

# Write the lines that switch on the cache of reads, or none.
write_cache() {
    local seconds=${READ_CACHE_SECONDS:-0}
    if [[ ! $seconds =~ ^[0-9]{1,4}$ ]]; then
        local text="nginx cannot start. READ_CACHE_SECONDS must be a whole number of seconds, from 0 (no cache) to 9999."
        printf '{"time":"%s","level":"critical","logger":"nginx","request_id":null,"message":"%s"}\n' \
            "$(date --utc +%FT%T.000+00:00)" "$text" >&2
        exit 1
    fi
    : >"$CACHE"
    ((10#$seconds == 0)) || printf 'proxy_cache_valid 200 %ds;\ninclude cache/reads.conf;\n' "$((10#$seconds))" >"$CACHE"
}

write_cache
listed=()
write_list
watch &
exec "$@"
