// What planning and training need to know of a corpus, whoever made it. The bytes are lib/music's.
#ifndef ETUDE_LIB_SCALING_CORPUS_H_
#define ETUDE_LIB_SCALING_CORPUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lib/scaling/ids.h"
#include "lib/scaling/job.h"

namespace etude {

struct Corpus {
  CorpusId id;       // SHA-256 of corpus.json
  std::string name;  // as pushed; empty for a directory not pushed
  int vocab = 0;
  std::int64_t train_tokens = 0;
  std::int64_t val_tokens = 0;
  std::int64_t test_tokens = 0;
  std::string tokenizer;  // "char", "adopted", ...
  // Characters of text per token, for bits/char; 1 for char, 0 when unknown.
  double chars_per_token = 0;
  // train.npy val.npy test.npy vocab.json corpus.json
  std::vector<ArtifactFile> files;
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_CORPUS_H_
