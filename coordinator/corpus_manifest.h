// What the coordinator needs of corpus.json. It is written by lib/music, which knows all of it.
#ifndef ETUDE_COORDINATOR_CORPUS_MANIFEST_H_
#define ETUDE_COORDINATOR_CORPUS_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/corpus.h"

namespace etude {

inline constexpr char kCorpusManifestName[] = "corpus.json";
inline constexpr std::int64_t kMaxCorpusManifestBytes = std::int64_t{64} << 20;
inline constexpr int kMaxCorpusManifestDepth = 16;

// Checks that `files` are the five files of a corpus, corpus.json's hash that of `json`, and the
// other four just what it lists; returns the corpus with that hash as its id, and without a name.
// kInvalidArgument names the file or the key.
absl::StatusOr<Corpus> CorpusFromManifest(std::string_view json,
                                          const std::vector<ArtifactFile>& files);

// corpus.json among `files`. kInvalidArgument: it is missing, or too large.
absl::StatusOr<ArtifactFile> FindCorpusManifest(const std::vector<ArtifactFile>& files);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CORPUS_MANIFEST_H_
