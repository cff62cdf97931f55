"""Prints the format and the arrays of a safetensors file, as the reference reader sees them."""

import sys

from safetensors import safe_open

with safe_open(sys.argv[1], framework="np") as file:
    for name in file.keys():
        print(file.metadata()["format"], name, file.get_tensor(name).tolist())
