"""The process that hosts the embedded llama.cpp server. Run as a file by ``embedded.py``, never imported by it.

It is a process of its own because the native library holds the interpreter while it loads and takes the interpreter
with it when it aborts.

first argument        JSON: {attribute of xllamacpp.CommonParams, dots for nesting: value}; {"enum": [name, member]}
                      stands for a member of one of the library's enumerations
LLMTESTER_SERVER_KEY  API key, removed from the environment at once
"""

from __future__ import annotations

import json
import os
import sys
import threading


def main() -> None:
    key = os.environ.pop("LLMTESTER_SERVER_KEY", "")
    settings = json.loads(sys.argv[1])
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    for path, value in settings.items():
        *above, name = path.split(".")
        owner = parameters
        for step in above:
            owner = getattr(owner, step)
        if not hasattr(owner, name):
            sys.exit(f"error: invalid argument: {path} is unknown to xllamacpp {xllamacpp.__version__}")
        if isinstance(value, dict):
            enumeration, member = value["enum"]
            setattr(owner, name, getattr(getattr(xllamacpp, enumeration), member))
        else:
            setattr(owner, name, value)
    if key:
        parameters.api_keys = [key]
    devices = [device for device in xllamacpp.get_device_info() if "CPU" not in str(device["type"])]
    parameters.fit_params = bool(devices) and settings.get("n_gpu_layers", -1) == -1
    sys.stdout.write(f"system_info: {xllamacpp.get_system_info()}\n")
    sys.stdout.flush()
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main()
