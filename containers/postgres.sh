#!/bin/bash
# Starts PostgreSQL. The first start creates the database.
#
# There is no password and no port: the service connects to a Unix socket in a volume that both containers share, and the
# kernel tells PostgreSQL which user connects (https://www.postgresql.org/docs/15/auth-peer.html).
set -euo pipefail
data=/var/lib/postgresql/15

if [ ! -d "$data" ]; then
    rm -rf "$data.new" # of a first start that was interrupted
    initdb --pgdata="$data.new" --username=postgres --auth-local=peer --auth-host=reject \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
    postgres --single -D "$data.new" postgres >/dev/null <<-'SQL'
	CREATE ROLE items LOGIN;
	CREATE DATABASE items OWNER items;
	SQL
    mv "$data.new" "$data"
fi

# web.py reads this file.
echo 'postgresql://items@/items?host=/run/postgresql' >/run/postgresql/database-url
exec postgres -D "$data" -c listen_addresses= -c unix_socket_directories=/run/postgresql -c jit=off
