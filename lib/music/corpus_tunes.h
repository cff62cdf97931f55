// The tunes of a corpus as music: keys, meters, lengths. What the tokens decode to is what is
// counted, not what they were made from.
#ifndef ETUDE_LIB_MUSIC_CORPUS_TUNES_H_
#define ETUDE_LIB_MUSIC_CORPUS_TUNES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/score.h"

namespace etude {

struct TuneCounts {
  std::int64_t tunes = 0;
  std::int64_t without_notes = 0;              // of them; counted in nothing else
  std::map<std::string, std::int64_t> keys;    // of the first key: "Gm"; "none" where none is said
  std::map<std::string, std::int64_t> meters;  // of the first: "6/8"; "none"
  std::vector<std::int64_t> notes;             // of each tune, in the corpus's order, as played
  std::vector<std::int64_t> bars;
};

void AddTune(const Score& score, TuneCounts& counts);

// All splits, by document. Empty where the corpus does not say where documents begin. Errors as
// LoadCorpus.
absl::StatusOr<TuneCounts> CountTunes(const std::string& dir);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_TUNES_H_
