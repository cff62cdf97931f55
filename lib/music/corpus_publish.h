// Writes a finished corpus as a directory that appears whole or not at all.
#ifndef ETUDE_LIB_MUSIC_CORPUS_PUBLISH_H_
#define ETUDE_LIB_MUSIC_CORPUS_PUBLISH_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/music/corpus_manifest.h"
#include "lib/music/tokenizer.h"
#include "lib/scaling/ids.h"

namespace etude {

struct CorpusReport {
  CorpusId id;
  CorpusManifest manifest;
  bool unchanged = false;  // dst already held exactly this corpus; nothing was written
};

// The token ids of each split, indexed by Split.
using SplitTokens = std::array<TokenIds, 3>;

// OK if `dst` is absent, an empty directory, or a corpus; kAlreadyExists otherwise. Asked before
// the work starts.
absl::Status CheckDestination(const std::string& dst);

// Completes `manifest` (vocab, doc_token, tokens and documents of the splits, files: all from the
// bytes) and writes the corpus, one file after another; `headers` is empty, or headers.npy's.
// An equal corpus in `dst` is left as it is, and repaired where its files are damaged; any other is
// kAlreadyExists.
absl::StatusOr<CorpusReport> PublishCorpus(const std::string& dst, const SplitTokens& tokens,
                                           const Tokenizer& vocabulary, CorpusManifest manifest,
                                           const TokenIds& headers = {});

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_PUBLISH_H_
