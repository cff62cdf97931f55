"""Prints the validation loss (nats/token) of a checkpoint directory on a token file, by PyTorch.

usage: check_val_loss.py CHECKPOINT_DIR VAL_NPY
"""

import json
import sys

import numpy
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from reference_models import build


def main():
    torch.set_num_threads(1)
    directory, tokens_file = sys.argv[1], sys.argv[2]
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        shape = json.load(file)["config"]["model"]
    model = build(shape, load_file(f"{directory}/model.safetensors"))
    tokens = torch.from_numpy(numpy.load(tokens_file).astype("int64"))
    context, nats = int(shape["context"]), 0.0
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, context):
            window = tokens[start : start + context + 1]
            logits = model(window[None, :-1])[0]
            nats += F.cross_entropy(logits.double(), window[1:], reduction="sum").item()
    print(repr(nats / (len(tokens) - 1)))


if __name__ == "__main__":
    main()
