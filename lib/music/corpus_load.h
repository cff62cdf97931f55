// Reads a corpus directory: train.npy val.npy test.npy vocab.json corpus.json.
#ifndef ETUDE_LIB_MUSIC_CORPUS_LOAD_H_
#define ETUDE_LIB_MUSIC_CORPUS_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/corpus_manifest.h"
#include "lib/music/corpus_split.h"
#include "lib/music/tokenizer.h"
#include "lib/scaling/corpus.h"

namespace etude {

// Sizes and array headers are always checked against corpus.json; with `verify` also every SHA-256
// and token id. kNotFound: no corpus.json in `dir`, or a file it lists is gone. kDataLoss: a file
// does not match corpus.json.
absl::StatusOr<Corpus> LoadCorpus(const std::string& dir, bool verify = true);

// corpus.json alone; doc_token says which id starts a document. Errors as LoadCorpus.
absl::StatusOr<CorpusManifest> ReadManifest(const std::string& dir);

// The tokens of one split, each checked to be below the vocabulary. Errors as LoadCorpus.
absl::StatusOr<std::vector<std::uint16_t>> ReadCorpusTokens(const std::string& dir, Split split);

// vocab.json. Errors as LoadCorpus.
absl::StatusOr<std::unique_ptr<const Tokenizer>> ReadVocabulary(const std::string& dir);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_LOAD_H_
