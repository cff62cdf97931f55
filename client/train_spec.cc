#include "client/train_spec.h"

#include <fmt/format.h>

#include <string_view>

#include "lib/base/hash.h"

namespace etude {
namespace {

constexpr std::size_t kNameHashChars = 12;

// A TOML basic string.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\u{:04X}", static_cast<int>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string Real(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".ein") == std::string::npos ? text + ".0" : text;
}

}  // namespace

std::string TrainSpecToml(const TrainOptions& options) {
  std::string train = "[train]\n";
  if (options.context) train += fmt::format("context = {}\n", *options.context);
  if (options.batch) train += fmt::format("batch = {}\n", *options.batch);
  if (options.lr) train += "lr = " + Real(*options.lr) + "\n";
  if (options.dropout) train += "dropout = " + Real(*options.dropout) + "\n";
  if (options.repeat) train += "repeat = true\n";
  const std::string amount = options.tokens.empty()
                                 ? std::string("epochs = [1]\n")
                                 : fmt::format("tokens = [{}]\n", Quoted(options.tokens));
  const std::string body =
      fmt::format("corpus = {}\n{}[[grid]]\n{} = [{}]\n{}seeds = [{}]\n", Quoted(options.corpus),
                  train, FamilyName(options.family), Quoted(options.shape), amount, options.seed);
  return fmt::format("name = \"train-{}\"\n{}", Sha256Hex(body).substr(0, kNameHashChars), body);
}

}  // namespace etude
