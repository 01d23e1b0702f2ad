# Three images: `web` (Gunicorn and the application), `nginx` (the reverse proxy) and `postgres` (PostgreSQL, for the
# profile of that name). docker-compose.yml builds them.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

# The labels of the images (https://specs.opencontainers.org/image-spec/annotations/). Without them, two builds of the
# same files have the same labels. They come last in each image, because they change most often.
ARG IMAGE_VERSION=1.0.0
ARG IMAGE_REVISION=
ARG IMAGE_CREATED=1970-01-01T00:00:00Z
ARG IMAGE_SOURCE=


# Only this stage contains pip and the compiler (gunicorn-h1c is distributed as C source). Dependencies are installed
# first, because they change less often than the code.
FROM ${PYTHON_IMAGE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /venv
COPY requirements/run.txt /tmp/
COPY requirements/fast.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /venv/bin/python install --require-hashes -r /tmp/run.txt -r /tmp/fast.txt
# What is only for debuggers, for developers and for the tests of the libraries themselves. (strip would break the .libs
# folders, whose files have been changed after linking.)
RUN find /venv -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} + \
    && find /venv '(' -name '*.map' -o -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' ')' -delete \
    && find /venv/lib -type d '(' -name tests -o -path '*/sqlalchemy/testing' ')' -prune -exec rm -r {} +
WORKDIR /srv
COPY gunicorn.conf.py ./
COPY openapi/ openapi/
COPY contract/ contract/
COPY db/ db/
COPY handlers/ handlers/
COPY app/ app/
COPY docs/errors.md docs/
COPY docs/http.md docs/
COPY docs/problems.md docs/
# The static files for nginx.
RUN /venv/bin/python -m app.static /static
# The part of nginx's configuration that is generated from the contract.
RUN /venv/bin/python -m app.edge /edge
# Compile now, because the root file system is read-only later. Unchecked hashes make the result independent of dates.
RUN /venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv/lib app contract db handlers


FROM ${PYTHON_IMAGE} AS web
# KEYS_SECRET_FILE is a path, not a secret.
# hadolint ignore=DL3064
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    KEYS_SECRET_FILE=/data/keys.secret \
    PORT=8000
# A new volume copies the owner of its folder from the first container.
RUN install -d -o 10001 -g 10001 /data /run/web
COPY --from=build /venv /venv
COPY --from=build /srv /srv
COPY containers/web.py /usr/local/bin/
# What the image is made of, for scanners and auditors.
COPY requirements/sbom.json /usr/share/sbom/items.cdx.json
WORKDIR /srv
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["web.py", "--check"]
# `docker stop` sends SIGTERM, and Gunicorn then finishes the running requests.
CMD ["web.py", "python", "-m", "app"]
ARG IMAGE_VERSION IMAGE_REVISION IMAGE_CREATED IMAGE_SOURCE
LABEL org.opencontainers.image.title="Items" \
      org.opencontainers.image.description="The service: Gunicorn and the application" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$IMAGE_VERSION" \
      org.opencontainers.image.revision="$IMAGE_REVISION" \
      org.opencontainers.image.created="$IMAGE_CREATED" \
      org.opencontainers.image.source="$IMAGE_SOURCE"


FROM ${DEBIAN_IMAGE} AS nginx
RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx libnginx-mod-http-lua openssl \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /etc/nginx /var/www/html \
    && install -d -o 10001 -g 10001 /run/web
COPY nginx/ /etc/nginx/
COPY containers/nginx.sh /usr/local/bin/
COPY containers/tls.sh /usr/local/bin/
COPY --from=build /edge /etc/nginx/contract
COPY --from=build /static /srv/static
USER 10002:10002
EXPOSE 8080 8443
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["/etc/nginx/healthcheck"]
# SIGQUIT lets nginx finish the running requests; SIGTERM would abort them.
STOPSIGNAL SIGQUIT
CMD ["nginx.sh", "/etc/nginx/run", "-p", "/tmp/", "-c", "/etc/nginx/nginx.conf"]
ARG IMAGE_VERSION IMAGE_REVISION IMAGE_CREATED IMAGE_SOURCE
LABEL org.opencontainers.image.title="Items: nginx" \
      org.opencontainers.image.description="The reverse proxy of the service" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$IMAGE_VERSION" \
      org.opencontainers.image.revision="$IMAGE_REVISION" \
      org.opencontainers.image.created="$IMAGE_CREATED" \
      org.opencontainers.image.source="$IMAGE_SOURCE"


FROM ${DEBIAN_IMAGE} AS postgres
# Without the compiler (LLVM) for queries that run for seconds, and without PostgreSQL's own cluster.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/lib/postgresql /var/run/postgresql \
        /usr/lib/*/libLLVM-14.so* /usr/lib/llvm-14 /usr/lib/postgresql/15/lib/bitcode
# The user of web gets a name, because PostgreSQL compares names.
RUN usermod --uid 10003 postgres && groupmod --gid 10003 postgres \
    && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin items \
    && install -d -o 10003 -g 10003 /var/lib/postgresql /run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
COPY containers/postgres.sh /usr/local/bin/
USER 10003:10003
VOLUME /var/lib/postgresql
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["pg_isready", "--quiet", "--dbname=items"]
# SIGINT ends the sessions and shuts down; SIGTERM would wait for the sessions to end.
STOPSIGNAL SIGINT
CMD ["postgres.sh"]
ARG IMAGE_VERSION IMAGE_REVISION IMAGE_CREATED IMAGE_SOURCE
LABEL org.opencontainers.image.title="Items: PostgreSQL" \
      org.opencontainers.image.description="The database of the service, for trying it" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$IMAGE_VERSION" \
      org.opencontainers.image.revision="$IMAGE_REVISION" \
      org.opencontainers.image.created="$IMAGE_CREATED" \
      org.opencontainers.image.source="$IMAGE_SOURCE"
