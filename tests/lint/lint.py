"""The checks of `make lint` that are other people's programs: clang-format, clang-tidy and clang's -Wthread-safety.

    lint.py format          every C++ file is as clang-format writes it
    lint.py tidy BUILD      clang-tidy on the rooms changed since ETUDE_LINT_BASE (default: the newest commit's parent)
    lint.py threads BUILD   clang -Wthread-safety on every source that owns or uses a mutex
BUILD is the build folder with compile_commands.json.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
JOBS = 2
ROOMS = ("lib/base", "lib/scaling", "lib/music", "lib/models", "storage", "proto", "coordinator", "worker", "client")
# Clang's parser takes half a minute for each of LibTorch's headers; bugprone finds come from g++ and the tests there.
TORCH_INCLUDE = re.compile(r'#include [<"](torch|ATen|c10)/')


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)


def tracked(*patterns):
    names = git("ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns).stdout.split()
    return [name for name in names if (ROOT / name).exists()]


def run_all(commands):
    """Runs the commands, JOBS at a time, prints what the failing ones said, and returns how many failed."""

    def run(command):
        done = subprocess.run(command["arguments"], cwd=command["folder"], capture_output=True, text=True)
        return command["name"], done.returncode, done.stdout + done.stderr

    failed = 0
    with ThreadPoolExecutor(JOBS) as pool:
        for name, code, output in pool.map(run, commands):
            if code != 0:
                failed += 1
                print(f"--- {name}\n{output}")
    return failed


def check_format():
    files = tracked("*.cc", "*.h")
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *files], cwd=ROOT)
    print(f"clang-format: {len(files)} files")
    return done.returncode


def compile_commands(build):
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if path.is_relative_to(ROOT):
            yield str(path.relative_to(ROOT)), entry


def room_of(name):
    return next((room for room in ROOMS if name.startswith(room + "/")), None)


def changed_rooms():
    base = os.environ.get("ETUDE_LINT_BASE", "HEAD~1")
    changed = git("diff", "--name-only", base)
    names = changed.stdout.split() if changed.returncode == 0 else tracked("*.cc", "*.h")
    names += git("ls-files", "--others", "--exclude-standard").stdout.split()
    return {room_of(name) for name in names} - {None}


def check_tidy(build):
    rooms = changed_rooms()
    commands = []
    for name, entry in compile_commands(build):
        if room_of(name) in rooms and not TORCH_INCLUDE.search((ROOT / name).read_text()):
            commands.append({"name": name, "folder": ROOT, "arguments": ["clang-tidy-14", "--quiet", "-p", build, name]})
    print(f"clang-tidy: {len(commands)} sources in {', '.join(sorted(rooms)) or 'no room'}")
    return run_all(commands)


def guards_something(name):
    header = (ROOT / name).with_suffix(".h")
    texts = [(ROOT / name).read_text()] + ([header.read_text()] if header.exists() else [])
    return any("GUARDED_BY" in text or "MutexLock" in text for text in texts)


def check_threads(build):
    commands = []
    for name, entry in compile_commands(build):
        if room_of(name) is None or not guards_something(name):
            continue
        arguments = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
        output = arguments.index("-o")
        arguments = ["clang++-14", *arguments[1:output], *arguments[output + 2 :], "-fsyntax-only"]
        arguments += ["-Wno-everything", "-Wthread-safety", "-Werror"]
        commands.append({"name": name, "folder": entry["directory"], "arguments": arguments})
    print(f"clang -Wthread-safety: {len(commands)} sources")
    if not commands:
        print("no source guards anything: the pattern must be wrong")
        return 1
    return run_all(commands)


def main():
    checks = {"format": check_format, "tidy": check_tidy, "threads": check_threads}
    return min(1, checks[sys.argv[1]](*sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
