// Small models, corpora and specs for this room's tests.
#ifndef ETUDE_TESTS_UNIT_SCALING_BUILDERS_H_
#define ETUDE_TESTS_UNIT_SCALING_BUILDERS_H_

#include <cstdint>
#include <string>

#include "lib/base/hash.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/model.h"
#include "lib/scaling/run.h"

namespace etude {

inline ModelConfig MakeModel(Family family, const std::string& shape, int vocab = 37,
                             int context = 64) {
  ModelConfig model = ParseShape(family, shape).value();
  model.vocab = vocab;
  model.context = context;
  return model;
}

inline Corpus MakeCorpus(std::int64_t train_tokens = 1'000'000, std::int64_t val_tokens = 20'000) {
  Corpus corpus;
  corpus.id = CorpusId(Sha256Hex("folk"));
  corpus.name = "folk";
  corpus.vocab = 37;
  corpus.train_tokens = train_tokens;
  corpus.val_tokens = val_tokens;
  corpus.test_tokens = val_tokens;
  corpus.tokenizer = "char";
  return corpus;
}

// A spec of one grid; `train` and `tail` are whole lines.
inline std::string SpecText(const std::string& grid, const std::string& train = "",
                            const std::string& tail = "") {
  return "name = \"t\"\ncorpus = \"folk\"\n[train]\n" + train + "[[grid]]\n" + grid + tail;
}

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_SCALING_BUILDERS_H_
