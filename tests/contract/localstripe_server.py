"""Serves localstripe on loopback: `python localstripe_server.py PORT`.

Its own command listens on all interfaces and keeps its objects in a file of a fixed name.
"""

import sys

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None)
