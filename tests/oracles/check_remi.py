"""miditok's REMI as an oracle for lib/music/remi_tokenizer.

check_remi.py FILE   FILE holds a JSON list of scores: {"ticks_per_quarter", "tracks": [{"program", "drums", "notes":
                     [[onset, duration, pitch, velocity]]}], "meters": [[at, beats, unit]], "tempos": [[at, us]]}.
                     Prints {"tokens": .., "scores": [{"remi": ids, "plain": [ids of each track]}]}: "remi" with
                     programs, one stream, time signatures and tempos; "plain" with miditok's defaults.
check_remi.py MIDI…  prints the "remi" ids of each file, one list a line.
"""

import json
import sys

import numpy as np
from miditok import REMI, TokenizerConfig
from symusic import Note, Score, Tempo, TimeSignature, Track


def tokenizers():
    full = TokenizerConfig(use_programs=True, use_time_signatures=True, use_tempos=True)
    return REMI(full), REMI()


def to_score(data):
    score = Score(data["ticks_per_quarter"])
    for item in data["tracks"]:
        track = Track(program=item["program"], is_drum=item["drums"])
        for note in item["notes"]:
            track.notes.append(Note(*note))
        score.tracks.append(track)
    for meter in data["meters"]:
        score.time_signatures.append(TimeSignature(*meter))
    if data["tempos"]:
        times, mspq = np.array(data["tempos"], dtype=np.int32).T
        score.tempos = Tempo.from_numpy(time=times.copy(), mspq=mspq.copy())
    return score


def names(tokenizer):
    return [name for name, _ in sorted(tokenizer.vocab.items(), key=lambda item: item[1])]


def main(paths):
    remi, plain = tokenizers()
    if not paths[0].endswith(".json"):
        for path in paths:
            print(json.dumps(remi(path).ids))
        return
    with open(paths[0], encoding="utf-8") as file:
        scores = [to_score(data) for data in json.load(file)]
    answers = [{"remi": remi(score).ids, "plain": [track.ids for track in plain(score)]} for score in scores]
    print(json.dumps({"tokens": names(remi), "plain_tokens": names(plain), "scores": answers}))


if __name__ == "__main__":
    main(sys.argv[1:])
