"""mido's own view of a MIDI file, as an oracle for lib/music/midi_reader and midi_writer.

check_midi.py FILE   prints "ticks T", "tempo AT MICROSECONDS", "meter AT B/U" and, sorted,
                     "ONSET DURATION PITCH VELOCITY" of each note, in ticks; notes of one pitch pair
                     first on, first off; "no mido" where mido is not installed
"""

import sys


def changes(midi, kind, value):
    found = {}
    for track in midi.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == kind:
                found[now] = value(message)
    return sorted(found.items())


def notes_of(track):
    now, sounding = 0, {}
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        queue = sounding.setdefault((message.channel, message.note), [])
        if message.type == "note_on" and message.velocity > 0:
            queue.append((now, message.velocity))
        elif queue:
            onset, velocity = queue.pop(0)
            yield onset, max(1, now - onset), message.note, velocity
    for (_, pitch), queue in sounding.items():
        for onset, velocity in queue:
            yield onset, max(1, now - onset), pitch, velocity


def main(path):
    try:
        import mido
    except ImportError:
        print("no mido")
        return
    midi = mido.MidiFile(path, clip=True)
    print("ticks", midi.ticks_per_beat)
    for at, tempo in changes(midi, "set_tempo", lambda m: m.tempo):
        print("tempo", at, tempo)
    for at, meter in changes(midi, "time_signature", lambda m: f"{m.numerator}/{m.denominator}"):
        print("meter", at, meter)
    for note in sorted(note for track in midi.tracks for note in notes_of(track)):
        print(*note)


if __name__ == "__main__":
    main(sys.argv[1])
