#include "lib/music/bpe_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/status.h"
#include "lib/music/char_tokenizer.h"
#include "lib/music/note_tokenizer.h"
#include "lib/music/vocabulary_json.h"

namespace etude {
namespace {

constexpr std::size_t kMaxVocabularyText = std::size_t{16} << 20;
constexpr Symbol kFirstFree = 2;  // <doc> and <unk> are never part of another token

std::vector<std::string> WithMerges(const Tokenizer& base, std::span<const BpeMerge> merges) {
  std::vector<std::string> tokens = base.tokens();
  for (const auto& [left, right] : merges) tokens.push_back(tokens[left] + tokens[right]);
  return tokens;
}

BpeRules RulesFor(const Tokenizer& base) {
  const auto& tokens = base.tokens();
  const auto line_end = std::ranges::find(tokens, "\n");
  return {.first = static_cast<Symbol>(tokens.size()),
          .free = kFirstFree,
          .wall = line_end == tokens.end() ? 0 : static_cast<Symbol>(line_end - tokens.begin())};
}

// Each merge may double a text, so a short file can ask for more than there is memory.
std::size_t TextBytes(const Tokenizer& base, std::span<const BpeMerge> merges) {
  std::vector<std::size_t> sizes;
  for (const std::string& token : base.tokens()) sizes.push_back(token.size());
  std::size_t total = 0;
  for (const auto& [left, right] : merges) {
    sizes.push_back(sizes[left] + sizes[right]);
    total += sizes.back();
    if (total > kMaxVocabularyText) break;
  }
  return total;
}

TokenizerName BaseName(const TokenizerName& name) { return {.kind = name.bpe_base}; }

absl::StatusOr<std::shared_ptr<const Tokenizer>> BaseFromJson(const nlohmann::json& root,
                                                              const TokenizerName& name,
                                                              const std::string& where) {
  const auto base = root.find("base");
  if (base == root.end() || !base->is_object()) return DamagedVocabulary(where, "no object base");
  const auto scheme = base->find("scheme");
  if (scheme == base->end() || *scheme != BaseName(name).text()) {
    return DamagedVocabulary(where, "base is of another scheme");
  }
  ASSIGN_OR_RETURN(
      std::shared_ptr<const Tokenizer> tokenizer,
      TokenizerFromJson(base->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                        where + ": base"));
  if (tokenizer->doc_token() != 0 || tokenizer->unknown_token() != 1) {
    return DamagedVocabulary(where, "base does not begin with <doc> and <unk>");
  }
  return tokenizer;
}

absl::StatusOr<std::vector<BpeMerge>> MergesFromJson(const nlohmann::json& root, int base_vocab,
                                                     const std::string& where) {
  const auto list = root.find("merges");
  const auto room = static_cast<std::size_t>(Tokenizer::kMaxVocab - base_vocab);
  if (list == root.end() || !list->is_array() || list->size() > room) {
    return DamagedVocabulary(where, "merges is not a list that fits a vocabulary");
  }
  std::vector<BpeMerge> merges;
  const auto known = [&](const nlohmann::json& id) {
    return id.is_number_unsigned() && id.get<std::uint64_t>() >= kFirstFree &&
           id.get<std::uint64_t>() < base_vocab + merges.size();
  };
  for (const auto& pair : *list) {
    if (!pair.is_array() || pair.size() != 2 || !known(pair[0]) || !known(pair[1])) {
      return DamagedVocabulary(
          where, fmt::format("merge {} does not name two tokens before it", merges.size()));
    }
    merges.push_back({pair[0].get<Symbol>(), pair[1].get<Symbol>()});
  }
  return merges;
}

}  // namespace

BpeTokenizer::BpeTokenizer(const TokenizerName& name, std::shared_ptr<const Tokenizer> base,
                           std::vector<BpeMerge> merges)
    : Tokenizer(WithMerges(*base, merges), base->doc_token(), base->unknown_token()),
      name_(name),
      base_(std::move(base)),
      merges_(std::move(merges)),
      merger_(merges_, static_cast<Symbol>(base_->vocab())) {}

absl::StatusOr<BpeTokenizer> BpeTokenizer::FromJson(const nlohmann::json& root,
                                                    const TokenizerName& name,
                                                    const std::string& where) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Tokenizer> base, BaseFromJson(root, name, where));
  ASSIGN_OR_RETURN(std::vector<BpeMerge> merges, MergesFromJson(root, base->vocab(), where));
  if (TextBytes(*base, merges) > kMaxVocabularyText) {
    return DamagedVocabulary(where, "its tokens are too long");
  }
  BpeTokenizer tokenizer(name, std::move(base), std::move(merges));
  const auto listed = root.find("tokens");
  if (listed == root.end() || *listed != nlohmann::json(tokenizer.tokens())) {
    return DamagedVocabulary(where, "tokens and merges are at odds");
  }
  return tokenizer;
}

std::string BpeTokenizer::ToJson() const {
  nlohmann::ordered_json root = VocabularyToJson(scheme(), tokens());
  nlohmann::ordered_json& merges = root["merges"] = nlohmann::ordered_json::array();
  for (const auto& [left, right] : merges_) merges.push_back({left, right});
  root["base"] = nlohmann::ordered_json::parse(base_->ToJson(), nullptr, false);
  return VocabularyText(root);
}

absl::StatusOr<TokenIds> BpeTokenizer::Encode(std::string_view text) const {
  ASSIGN_OR_RETURN(const TokenIds base, base_->Encode(text));
  const std::vector<Symbol> symbols(base.begin(), base.end());
  const std::vector<Symbol> merged = merger_.Apply(symbols);
  return TokenIds(merged.begin(), merged.end());
}

std::string BpeTokenizer::Decode(std::span<const std::uint16_t> ids) const {
  std::string text;
  for (const int id : ids) {
    if (id >= vocab() || id == doc_token()) continue;
    text += id == unknown_token() ? "\xEF\xBF\xBD" : tokens()[id];
  }
  return text;
}

BpeVocabularyBuilder::BpeVocabularyBuilder(const TokenizerName& name)
    : name_(name), base_(NewVocabularyBuilder(BaseName(name))) {}

void BpeVocabularyBuilder::Add(std::string_view text, bool sample) {
  base_->Add(text, sample);
  const auto chars = static_cast<std::int64_t>(text.size());
  if (!sample || sample_chars_ + chars > kMaxBpeSample) return;
  sample_.emplace_back(text);
  sample_chars_ += chars;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> BpeVocabularyBuilder::Finish() {
  ASSIGN_OR_RETURN(std::shared_ptr<const Tokenizer> base, base_->Finish());
  if (name_.bpe_size <= base->vocab()) {
    return InvalidArgument(fmt::format(
        "--tokenizer {}: {} alone needs {} tokens here, so there is no room for a merge; type: "
        "--tokenizer bpe:{}:{}",
        name_.text(), base->scheme(), base->vocab(), 2 * base->vocab(), base->scheme()));
  }
  std::vector<Symbol> symbols;
  for (std::string& text : std::exchange(sample_, {})) {
    ASSIGN_OR_RETURN(const TokenIds ids, base->Encode(text));
    symbols.push_back(static_cast<Symbol>(*base->doc_token()));
    symbols.insert(symbols.end(), ids.begin(), ids.end());
    text.clear();
    text.shrink_to_fit();
  }
  std::vector<BpeMerge> merges =
      LearnMerges(symbols, name_.bpe_size - base->vocab(), RulesFor(*base));
  return std::make_unique<const BpeTokenizer>(name_, std::move(base), std::move(merges));
}

}  // namespace etude
