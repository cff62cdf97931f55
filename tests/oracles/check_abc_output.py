"""What other programs say of ABC that we wrote: abc2midi (Debian's abcmidi) and abcjs (npm).

check_abc_output.py DIR   for every DIR/**/*.abc, one tune each, prints a line for each complaint: "NAME abc2midi TEXT"
                          for its errors and bars of a wrong length, "NAME abcjs TEXT" for its warnings; then "checked N by
                          TOOLS". A tool that is not installed is named in a line "no abc2midi" or "no abcjs".

abc2midi is $ETUDE_ABC2MIDI or the one on PATH. It exits with 0 whatever it finds, and on some texts never: it gets
TIMEOUT seconds. abcjs is looked for in $ETUDE_NODE_MODULES and .deps/npm/node_modules.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = str(pathlib.Path(__file__).resolve().parents[2])
TIMEOUT = 30
# "Different length notes in tuple" and the like are remarks on legal text.
COMPLAINT = re.compile(r"Error|time units while the time signature|Cannot find|quarter notes long not|exceeded")


def abc2midi_complaints(program, path):
    try:
        run = subprocess.run([program, str(path), "-c"], capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return [f"no end within {TIMEOUT} s"]
    if run.returncode < 0:
        return [f"killed by signal {-run.returncode}"]
    text = (run.stdout + run.stderr).decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if COMPLAINT.search(line)]


def abcjs_complaints(node, modules, paths):
    script = pathlib.Path(__file__).with_suffix(".js")
    run = subprocess.run([node, str(script)], input="\n".join(map(str, paths)), capture_output=True, text=True,
                         timeout=TIMEOUT + len(paths), env={**os.environ, "NODE_PATH": modules}, check=False)
    return run.stdout.splitlines() if run.returncode == 0 else [f"abcjs {run.stderr.strip()[-300:]}"]


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).rglob("*.abc"))
    tools = []
    program = os.environ.get("ETUDE_ABC2MIDI") or shutil.which("abc2midi")
    if program:
        tools.append("abc2midi")
        for path in paths:
            for complaint in abc2midi_complaints(program, path):
                print(f"{path.name} abc2midi {complaint}")
    else:
        print("no abc2midi")
    node = shutil.which("node")
    places = [os.environ.get("ETUDE_NODE_MODULES", ""), os.path.join(ROOT, ".deps/npm/node_modules")]
    modules = next((place for place in places if os.path.isdir(os.path.join(place, "abcjs"))), None)
    if node and modules:
        tools.append("abcjs")
        for complaint in abcjs_complaints(node, modules, paths):
            print(complaint)
    else:
        print("no abcjs")
    print(" ".join(["checked", str(len(paths)), "by", *tools]))


main()
