"""Serves a GGUF file by llama.cpp's own server until standard input ends: llama.py FILE PORT. Says its address first.

Needs xllamacpp (MIT), a build of llama.cpp's server as a Python package.
"""

import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"smollm2"}
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_ctx = 4096
params.n_parallel = 2
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
