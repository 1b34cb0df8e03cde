"""Checks a model as its `layer` says: `ready`, `fail CLASS`, `report BASE64`, or `forever`."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path

MESSAGE = Path("/dev/termination-log")
GRAPH = {"layers": 3, "parameters": 1200, "gflopPerImage": 1.5, "detector": True}

verb, _, argument = json.loads(os.environ["FEATX_MODEL"])["layer"].partition(" ")
if Path("/var/run/secrets/kubernetes.io").exists():
    sys.exit("it has a token")
if verb == "ready":
    MESSAGE.write_text(json.dumps({"graph": GRAPH}))
elif verb == "fail":
    MESSAGE.write_text(json.dumps({"failure": {"class": argument, "message": "by the script"}}))
    sys.exit(2)
elif verb == "report":
    MESSAGE.write_bytes(base64.b64decode(argument))
elif verb == "forever":
    time.sleep(86400)
