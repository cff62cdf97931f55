// Makes a corpus directory from ABC files, or from token files somebody else made. Equal inputs and
// options give equal bytes. The directory appears whole or not at all.
#ifndef ETUDE_LIB_MUSIC_CORPUS_BUILD_H_
#define ETUDE_LIB_MUSIC_CORPUS_BUILD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/music/corpus_publish.h"
#include "lib/music/corpus_split.h"

namespace etude {

// A source file above this is refused; real ABC collections are below 3 MB a file.
inline constexpr std::int64_t kMaxSourceFileBytes = std::int64_t{256} << 20;
inline constexpr std::int64_t kMaxSourceFiles = 1'000'000;
inline constexpr std::int64_t kMaxCorpusTokens = std::int64_t{1} << 31;

struct CorpusBuildOptions {
  std::string
      src;  // a directory searched for *.abc, or one ABC file, or a directory with train.npy
  std::string dst;  // made if absent
  std::string tokenizer = "char";
  std::optional<SplitShares> shares = std::nullopt;  // default: DefaultShares
  std::uint64_t seed = 1;                            // of the split
  std::optional<std::int64_t> max_tokens =
      std::nullopt;  // whole tunes, chosen by `seed`, up to this many tokens
};

struct TokenFileOptions {
  std::string train;  // .npy files of token ids
  std::string val;
  std::string test;
  std::string vocab = {};  // vocab.json; empty: the one beside `train`
};

// Cleans, removes duplicates, splits by version group, builds the vocabulary from the training
// split, and writes <doc> before each tune. Tunes lie in shuffled order in each split. Licence
// notes come from SOURCE.json in `src`, if there. A `src` with train.npy is adopted as by
// AdoptTokenFiles. kNotFound: no src. kInvalidArgument: no tune found, unknown tokenizer, bad
// options. kUnimplemented: a tokenizer of a later version. kAlreadyExists: dst holds something
// else; it is never overwritten. kResourceExhausted: beyond a limit above.
absl::StatusOr<CorpusReport> BuildCorpus(const CorpusBuildOptions& options);

// Adopts token files in the course study's layout: ids copied as they are; without <doc> in the
// vocabulary documents are unknown. kInvalidArgument: a split not given, an empty split, an id
// outside the vocabulary; kNotFound: a file is not there; kDataLoss: a file is damaged;
// kAlreadyExists as above.
absl::StatusOr<CorpusReport> AdoptTokenFiles(const TokenFileOptions& files, const std::string& dst);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_BUILD_H_
