#include "lib/base/status.h"
#include "lib/music/char_tokenizer.h"
#include "tests/fuzz/fuzz_target.h"

namespace etude {
namespace {

void Run(std::string_view bytes) {
  const auto tokenizer = CharTokenizer::FromJson(bytes, "fuzz");
  if (!tokenizer.ok()) return;
  ENSURE(tokenizer->vocab() <= CharTokenizer::kMaxVocab);
  const auto again = CharTokenizer::FromJson(tokenizer->ToJson(), "fuzz");
  ENSURE(again.ok() && again->tokens() == tokenizer->tokens());
  if (const auto ids = tokenizer->Encode(bytes); ids.ok()) tokenizer->Decode(*ids);
}

std::vector<std::string> Seeds() {
  const std::vector<std::string> texts = {"X:1\nK:C\nCDEF|", "é♯"};
  return {CharTokenizer::FromTexts(texts)->ToJson(),
          R"({"char_to_id": {"a": 0, "b": 1, "\n": 2}})",
          R"({"char_to_id": {"a": 0, "b": 5}})",
          R"({"tokens": ["<doc>", "<unk>", "a"], "char_to_id": {"a": 2}})",
          R"({"tokens": [1, null], "char_to_id": []})",
          "[[[[[[[[",
          "{}"};
}

}  // namespace

const FuzzTarget kVocabTarget = {.name = "vocab", .run = Run, .seeds = Seeds};

}  // namespace etude
