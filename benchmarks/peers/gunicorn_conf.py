"""Gunicorn settings of every peer. Others have their defaults: no access log, for example."""

import os

bind = f"{os.environ['HOST']}:{os.environ['PORT']}"
workers = int(os.environ["WEB_CONCURRENCY"])
# The fastest options of this server for all of them: the C parser, and uvloop for the ASGI worker.
http_parser = "fast"
asgi_loop = "uvloop"
control_socket_disable = True
