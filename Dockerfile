# Two images: `web` (Gunicorn and the application) and `nginx` (the reverse proxy). docker-compose.yml builds both.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim


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
WORKDIR /srv
COPY gunicorn.conf.py ./
COPY openapi/ openapi/
COPY contract/ contract/
COPY db/ db/
COPY handlers/ handlers/
COPY app/ app/
COPY docs/errors.md docs/
COPY docs/http.md docs/
# The static files for nginx.
RUN /venv/bin/python -m app.static /static
# The part of nginx's configuration that is generated from the contract.
RUN /venv/bin/python -m app.edge /edge
# Compile now, because the root file system is read-only later. Unchecked hashes make the result independent of dates.
RUN /venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv/lib app contract db handlers


FROM ${PYTHON_IMAGE} AS web
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATABASE_URL=sqlite:////data/items.db
# A new volume copies the owner of this folder.
RUN install -d -o 10001 -g 10001 /data
COPY --from=build /venv /venv
COPY --from=build /srv /srv
WORKDIR /srv
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=4)"]
# `docker stop` sends SIGTERM, and Gunicorn then finishes the running requests.
CMD ["python", "-m", "app"]


FROM ${DEBIAN_IMAGE} AS nginx
RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx \
    && rm -rf /var/lib/apt/lists/* /etc/nginx /var/www/html
COPY nginx/ /etc/nginx/
COPY --from=build /edge /etc/nginx/contract
COPY --from=build /static /srv/static
USER 10002:10002
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["/etc/nginx/healthcheck"]
# SIGQUIT lets nginx finish the running requests; SIGTERM would abort them.
STOPSIGNAL SIGQUIT
CMD ["/etc/nginx/run", "-p", "/tmp/", "-c", "/etc/nginx/nginx.conf"]
