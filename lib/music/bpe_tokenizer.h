// Byte-pair encoding over the tokens of a scheme of text.
#ifndef ETUDE_LIB_MUSIC_BPE_TOKENIZER_H_
#define ETUDE_LIB_MUSIC_BPE_TOKENIZER_H_

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/bpe.h"
#include "lib/music/tokenizer.h"

namespace etude {

inline constexpr int kMinBpeSize = 16;
// Merges are learned from the sampled documents up to this many base tokens: 40 bytes each.
inline constexpr std::int64_t kMaxBpeSample = std::int64_t{8} << 20;

// Ids of the base scheme, then one for each merge. No token reaches across a line end or into
// another document, so a tune's header ends where a token does.
class BpeTokenizer : public Tokenizer {
 public:
  // kDataLoss: the base is damaged, a merge names a token that is not before it.
  static absl::StatusOr<BpeTokenizer> FromJson(const nlohmann::json& root,
                                               const TokenizerName& name, const std::string& where);
  // `merges` as LearnMerges gives them with the rules of BpeVocabularyBuilder.
  BpeTokenizer(const TokenizerName& name, std::shared_ptr<const Tokenizer> base,
               std::vector<BpeMerge> merges);

  std::string scheme() const override { return name_.text(); }
  MusicForm form() const override { return MusicForm::kText; }
  std::string ToJson() const override;
  absl::StatusOr<TokenIds> Encode(std::string_view text) const override;
  std::string Decode(std::span<const std::uint16_t> ids) const override;

 private:
  TokenizerName name_;
  std::shared_ptr<const Tokenizer> base_;
  std::vector<BpeMerge> merges_;
  BpeMerger merger_;
};

class BpeVocabularyBuilder : public VocabularyBuilder {
 public:
  explicit BpeVocabularyBuilder(const TokenizerName& name);
  void Add(std::string_view text, bool sample) override;
  absl::StatusOr<std::unique_ptr<const Tokenizer>> Finish() override;

 private:
  TokenizerName name_;
  std::unique_ptr<VocabularyBuilder> base_;
  std::vector<std::string> sample_;
  std::int64_t sample_chars_ = 0;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_BPE_TOKENIZER_H_
