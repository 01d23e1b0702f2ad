"""Gunicorn settings of every peer; the service has its own."""

import os

bind = f"{os.environ['HOST']}:{os.environ['PORT']}"
workers = int(os.environ["WEB_CONCURRENCY"])
worker_class = os.environ["WORKER_CLASS"]
loglevel = os.environ["LOG_LEVEL"]
# The fastest options of this server for all of them: the C parser, and uvloop for the ASGI worker.
http_parser = "fast"
asgi_loop = "uvloop"
control_socket_disable = True
