// The token files of a run, checked against what its config promises.
#ifndef ETUDE_LIB_MODELS_RUN_DATA_H_
#define ETUDE_LIB_MODELS_RUN_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/models/windows.h"
#include "lib/scaling/run.h"

namespace etude {

struct RunData {
  std::vector<Token> pool;  // config.unique_tokens of the training split
  std::vector<Token> val;
  std::vector<Token> test;
  std::vector<std::int64_t> val_documents;  // starts; {0} when documents are unknown
  std::string vocab_sha256;
};

// kInvalidArgument: the config cannot be trained on this corpus, or contradicts itself. kDataLoss:
// a file of the corpus is damaged. kNotFound: there is no corpus in `corpus_dir`.
absl::StatusOr<RunData> LoadRunData(const RunConfig& config, const std::string& corpus_dir);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_RUN_DATA_H_
