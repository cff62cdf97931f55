// The music of free games and of a piano tutor, from Debian's packages.
#ifndef ETUDE_CLIENT_GAME_MIDI_FETCH_H_
#define ETUDE_CLIENT_GAME_MIDI_FETCH_H_

#include "client/fetched_tree.h"

namespace etude {

// One folder a package; of files with equal bytes the first. Runs `apt-get download`, which asks
// apt's own signed lists and needs no root, and unpacks with dpkg-deb; nothing is installed.
// kNotFound: no apt-get, dpkg-deb or python3 (for a zip archive in a package). kUnavailable:
// apt-get failed. kDataLoss: a package without music, or with an archive that cannot be read.
absl::StatusOr<FetchReport> FetchGameMidi(const FetchRequest& request);

}  // namespace etude

#endif  // ETUDE_CLIENT_GAME_MIDI_FETCH_H_
