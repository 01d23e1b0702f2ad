# HTTPS for nginx.sh, which reads this file. TLS is empty (HTTP), `mounted` or `self-signed`.
#
# nginx reads one file with the certificate and its key, in each handshake; see local/certificate.conf. So a renewed
# certificate is used without a reload, and every connection stays open.
CERTIFICATES=${CERTIFICATES:-/etc/nginx/tls} # with fullchain.pem and privkey.pem
PAIR=$PREFIX/certificate.pem                 # named in local/certificate.conf
SERVERS=$PREFIX/servers.conf                 # included by local/servers.conf
seen=unseen                                  # what was in the mounted files

write_servers() {
    local port=${HTTPS_PORT:-443}
    case ${TLS-} in
    "") echo 'include servers/plain.conf;' >"$SERVERS" ;;
    mounted | self-signed)
        [[ $port =~ ^[0-9]{1,5}$ ]] || fail "HTTPS_PORT must be the number of a port."
        [ "$port" != 443 ] && port=:$port || port=
        printf 'map "" $https_port { default "%s"; }\ninclude servers/tls.conf;\n' "$port" >"$SERVERS"
        "use_${TLS/-/_}"
        ;;
    *) fail "TLS must be empty, mounted or self-signed." ;;
    esac
}

use_self_signed() {
    [ -e "$PAIR" ] || (
        umask 077
        openssl req -x509 -noenc -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 365 -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 -keyout "$PAIR.key" -out "$PAIR.new" 2>/dev/null
        cat "$PAIR.key" >>"$PAIR.new"
        rm "$PAIR.key"
        mv "$PAIR.new" "$PAIR"
    )
}

use_mounted() {
    renew critical
    [ -e "$PAIR" ] || exit 1
}

# Use the mounted files if they have changed. While only one of them is new, they do not fit: keep the last ones.
renew() {
    local files=("$CERTIFICATES"/{fullchain,privkey}.pem) new
    new=$(cat "${files[@]}" 2>/dev/null) || new=
    [ "$new" != "$seen" ] || return 0
    seen=$new
    (umask 077 && cat "${files[@]}" >"$PAIR.new" 2>/dev/null)
    if fits "$PAIR.new"; then
        mv "$PAIR.new" "$PAIR"
        log info "nginx uses the certificate in $CERTIFICATES, $(openssl x509 -in "$PAIR" -noout -enddate)."
    else
        log "$1" "nginx cannot use fullchain.pem and privkey.pem in $CERTIFICATES: $(problem)."
    fi
}

# Whether the key in this file is that of its first certificate.
fits() {
    local key
    key=$(openssl pkey -in "$1" -passin pass: -pubout 2>/dev/null) &&
        [ "$key" = "$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null)" ]
}

# Why nginx cannot use the mounted files.
problem() {
    if [ ! -r "$CERTIFICATES/fullchain.pem" ] || [ ! -r "$CERTIFICATES/privkey.pem" ]; then
        echo "user $(id -u) cannot read both"
    else
        echo "the key must be that of the first certificate, without a passphrase"
    fi
}
