"""abc2midi's view of ABC tunes (Debian's abcmidi), as an oracle for lib/music/abc_reader.

check_abc.py compare DIR   for every DIR/NAME.abc, one tune each, with our notes in DIR/NAME.notes
                           ("ONSET DURATION PITCH" a line, times in quarters): plays it with abc2midi and prints
                           one line a tune that differs ("NAME ours theirs matched exact"), then the sums
                           ("total tunes TUNES equal EQUAL ours N theirs N matched N exact N"), and apart from them
                           those of tunes with repeats that abc2midi is known to play otherwise ("implied tunes ...")

Prints "no mido" or "no abc2midi" where that is not installed. Matched: pitch and onset agree; exact: the duration too. Grace notes, chord names and dynamics are switched off in
abc2midi; what else it plays otherwise by design is taken out of the text first, see neutral().
"""

import pathlib
import re
import shutil
import subprocess
import sys
from collections import Counter

try:
    import mido
except ImportError:
    sys.exit(print("no mido"))
if not shutil.which("abc2midi"):
    sys.exit(print("no abc2midi"))

TICKS = 96  # to a quarter; finer than any length abc2midi and the tunes share, coarser than its rounding
OPTIONS = ["-NGRA", "-NGUI", "-NFER", "-NFNP", "-silent", "-quiet"]


def neutral(text):
    """What both play alike by design: without an order of parts (P:), which we leave to the reader, without the rhythm
    field (R:), by which abc2midi bends broken rhythms, without ornaments and staccato, and with chords struck at once."""
    lines = [line for line in text.split("\n") if not re.match(r"[PR]:", line)]
    music = re.sub(r"(?m)^(K:.*)$", r"\1\n%%MIDI chordattack 0", "\n".join(lines), count=1)
    music = re.sub(r"!(trill|roll|mordent|lowermordent|uppermordent|pralltriller|turn|arpeggio)!", "", music)
    return re.sub(r"(?m)^(?![A-Za-z+]:|%).*$", lambda line: re.sub(r"[~TRMP.](?=[HLSTuvk~.]*[\[\^_=]*[A-Ga-g])", "", line[0]), music)


def has_implied_start(text):
    """True where a repeat ends that begins at a double bar line. ABC 2.1 (4.8) has it restart there, and so do we;
    abc2midi goes back further."""
    music = re.sub(r"(?m)^([A-Za-z+]:|%).*$", "", text.replace("\r", ""))
    marked = starts_at_double = False
    for bar in re.findall(r":*\[?\|+\]?:*|::", music):
        if bar.startswith(":") and starts_at_double:
            return True
        if ":" in bar:
            marked, starts_at_double = bar.endswith(":"), False
        elif bar in ("||", "|]", "[|") and not marked:
            starts_at_double = True
    return False


def their_notes(path):
    notes = Counter()
    exact = Counter()
    midi = mido.MidiFile(path)
    scale = TICKS / midi.ticks_per_beat
    for track in midi.tracks:
        now, open_notes = 0, {}
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            if message.type == "note_on" and message.velocity > 0:
                open_notes.setdefault(message.note, []).append(now)
            elif open_notes.get(message.note):
                onset = open_notes[message.note].pop(0)
                notes[round(onset * scale), message.note] += 1
                exact[round(onset * scale), round((now - onset) * scale), message.note] += 1
    return notes, exact


def our_notes(path):
    notes = Counter()
    exact = Counter()
    for line in path.read_text().splitlines():
        onset, duration, pitch = line.split()
        notes[round(float(onset) * TICKS), int(pitch)] += 1
        exact[round(float(onset) * TICKS), round(float(duration) * TICKS), int(pitch)] += 1
    return notes, exact


def compare(directory):
    sums = {"total": Counter(), "implied": Counter()}
    for tune in sorted(pathlib.Path(directory).glob("*.abc")):
        text = tune.read_text("latin-1")
        plain = tune.with_suffix(".plain")
        plain.write_bytes(neutral(text).encode("latin-1"))
        midi = tune.with_suffix(".mid")
        subprocess.run(["abc2midi", plain, "-o", midi, *OPTIONS], capture_output=True, timeout=30, check=False)
        if not midi.exists():
            print(tune.stem, "abc2midi wrote nothing")
            continue
        theirs, theirs_exact = their_notes(midi)
        ours, ours_exact = our_notes(tune.with_suffix(".notes"))
        row = Counter(ours=ours.total(), theirs=theirs.total(), matched=(ours & theirs).total(),
                      exact=(ours_exact & theirs_exact).total())
        equal = row["exact"] == row["ours"] == row["theirs"]
        kind = "implied" if has_implied_start(text) else "total"
        sums[kind].update(row, tunes=1, equal=equal)
        if not equal and kind == "total":
            print(tune.stem, row["ours"], row["theirs"], row["matched"], row["exact"])
    for kind in ["implied", "total"]:
        names = ["tunes", "equal", "ours", "theirs", "matched", "exact"]
        print(kind, *(f"{name} {sums[kind][name]}" for name in names))


if __name__ == "__main__":
    {"compare": compare}[sys.argv[1]](sys.argv[2])
