#include "lib/models/run_data.h"

#include <optional>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/corpus_load.h"

namespace etude {
namespace {

absl::Status Refuse(const std::string& what, const std::string& next) {
  return InvalidArgument(what + "; " + next);
}

absl::Status CheckConfig(const RunConfig& config) {
  const std::string next = "fix the sweep's spec and submit it again";
  const ModelConfig& model = config.model;
  if (model.layers < 1 || model.width < 1 || model.vocab < 2 || model.context < 1) {
    return Refuse("the model's shape " + ShapeText(model) + " has an empty dimension", next);
  }
  if (model.family == Family::kTransformer && (model.heads < 1 || model.width % model.heads != 0)) {
    return Refuse("heads do not divide the width in " + ShapeText(model), next);
  }
  if (config.steps < 1 || config.batch < 1 || config.stride < 1 || config.threads < 1) {
    return Refuse("steps, batch, stride and threads must be at least 1", next);
  }
  if (!(model.dropout >= 0 && model.dropout < 1) || !(config.lr > 0)) {
    return Refuse("dropout must lie in [0, 1) and lr above 0", next);
  }
  if (config.unique_tokens <= model.context) {
    return Refuse("a pool of " + std::to_string(config.unique_tokens) +
                      " tokens has no window of " + std::to_string(model.context) +
                      " tokens and a target",
                  "raise `unique` or lower `context` in the spec");
  }
  return absl::OkStatus();
}

absl::Status CheckCorpus(const RunConfig& config, const CorpusManifest& manifest,
                         const std::string& dir) {
  const std::string next =
      "push the corpus again with `etude corpus push` and submit the sweep again";
  ASSIGN_OR_RETURN(const std::string id, Sha256HexOfFile(dir + "/" + kManifestFile));
  if (id != config.corpus.text()) {
    return Refuse(
        dir + " is corpus " + id.substr(0, 12) + ", the run wants " + config.corpus.Short(), next);
  }
  if (manifest.vocab != config.model.vocab) {
    return Refuse("the corpus has " + std::to_string(manifest.vocab) + " token ids, the model " +
                      std::to_string(config.model.vocab),
                  next);
  }
  return absl::OkStatus();
}

absl::Status CheckSplits(const RunConfig& config, std::size_t train, std::size_t val,
                         std::size_t test) {
  if (static_cast<std::int64_t>(train) != config.train_tokens ||
      config.unique_tokens > config.train_tokens) {
    return Refuse("the training split has " + std::to_string(train) +
                      " tokens, the run counts on " + std::to_string(config.train_tokens) +
                      " and a pool of " + std::to_string(config.unique_tokens),
                  "submit the sweep again, so that it is planned on this corpus");
  }
  if (val < 2 || test < 2) {
    return Refuse("the validation or the test split has no target",
                  "build the corpus again with a larger share for them (--split)");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunData> LoadRunData(const RunConfig& config, const std::string& corpus_dir) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(const CorpusManifest manifest, ReadManifest(corpus_dir));
  RETURN_IF_ERROR(CheckCorpus(config, manifest, corpus_dir));
  RunData data;
  ASSIGN_OR_RETURN(const std::vector<Token> train, ReadCorpusTokens(corpus_dir, Split::kTrain));
  ASSIGN_OR_RETURN(data.val, ReadCorpusTokens(corpus_dir, Split::kVal));
  ASSIGN_OR_RETURN(data.test, ReadCorpusTokens(corpus_dir, Split::kTest));
  RETURN_IF_ERROR(CheckSplits(config, train.size(), data.val.size(), data.test.size()));
  ASSIGN_OR_RETURN(data.vocab_sha256, Sha256HexOfFile(corpus_dir + "/" + kVocabFile));
  std::optional<Token> document_token;
  if (manifest.doc_token) document_token = static_cast<Token>(*manifest.doc_token);
  data.pool = UniquePool(train, document_token, config.unique_tokens, config.model.context);
  data.val_documents = DocumentStarts(data.val, document_token);
  return data;
}

}  // namespace etude
