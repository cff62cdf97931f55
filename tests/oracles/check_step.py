"""Holds one training step of lib/models to PyTorch: loss and gradients within 1e-5, then two updates of AdamW.

usage: check_step.py FILE, a safetensors file with the arrays tokens, targets, loss, parameter.*, gradient.* and
updated.* and the model's shape and the optimizer's settings as metadata.
"""

import sys

import torch
from safetensors import safe_open

from reference_models import build, loss_of, module_name

TOLERANCE = 1e-5


def part(arrays, prefix):
    return {name[len(prefix):]: value for name, value in arrays.items() if name.startswith(prefix)}


def difference(name, ours, theirs):
    worst = (ours - theirs).abs().max().item()
    scale = max(1.0, theirs.abs().max().item())
    if not worst <= TOLERANCE * scale:
        sys.exit(f"{name}: differs from PyTorch by {worst:g}")
    return worst


def main():
    torch.set_num_threads(1)
    with safe_open(sys.argv[1], framework="pt") as file:
        shape = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    gradients, updated = part(arrays, "gradient."), part(arrays, "updated.")
    model = build(shape, part(arrays, "parameter."))
    loss = loss_of(model, arrays["tokens"], arrays["targets"])
    loss.backward()
    difference("loss", arrays["loss"], loss.detach())
    theirs = dict(model.named_parameters())
    worst = max(difference(name, value, theirs[module_name(name)].grad) for name, value in gradients.items())

    decay = [p for p in model.parameters() if p.dim() >= 2]
    plain = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": float(shape["weight_decay"])}, {"params": plain, "weight_decay": 0.0}],
        lr=float(shape["lr"]), betas=(float(shape["beta1"]), float(shape["beta2"])), eps=1e-8)
    for name, value in gradients.items():  # ours: Adam blows the rounding of a vanishing gradient up to its sign
        theirs[module_name(name)].grad = value.clone()
    for _ in range(2):
        torch.nn.utils.clip_grad_norm_(model.parameters(), float(shape["clip"]))
        optimizer.step()
    for name, value in updated.items():
        difference(name + " after two updates", value, theirs[module_name(name)].detach())
    print(f"{shape['family']}: largest difference of a gradient {worst:g}")


if __name__ == "__main__":
    main()
