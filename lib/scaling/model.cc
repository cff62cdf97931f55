#include "lib/scaling/model.h"

#include <charconv>
#include <vector>

#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<Family, 2> kFamilies = {{Family::kTransformer, "transformer"},
                                            {Family::kLstm, "lstm"}};
constexpr NameTable<Init, 2> kInits = {{Init::kGpt2, "gpt2"}, {Init::kWidth, "width"}};

struct NamedShape {
  Family family;
  std::string_view name;
  std::string_view shape;
};
constexpr NamedShape kNamedShapes[] = {
    {Family::kTransformer, "tiny", "4x128x4"},   {Family::kTransformer, "small", "6x192x6"},
    {Family::kTransformer, "medium", "8x256x8"}, {Family::kTransformer, "large", "12x384x12"},
    {Family::kTransformer, "xl", "16x512x16"},   {Family::kLstm, "tiny", "2x256"},
    {Family::kLstm, "small", "2x512"},           {Family::kLstm, "medium", "3x768"},
    {Family::kLstm, "large", "3x1024"},
};

constexpr int kMaxLayers = 128;
constexpr int kMaxWidth = 16384;

std::optional<std::vector<int>> SplitNumbers(std::string_view text) {
  std::vector<int> numbers;
  while (true) {
    const std::size_t end = text.find('x');
    const std::string_view part = text.substr(0, end);
    int number = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || stop != part.data() + part.size() || part.empty()) {
      return std::nullopt;
    }
    numbers.push_back(number);
    if (end == std::string_view::npos) return numbers;
    text.remove_prefix(end + 1);
  }
}

std::string NamesOf(Family family) {
  std::string names;
  for (const NamedShape& named : kNamedShapes) {
    if (named.family == family) names += (names.empty() ? "" : ", ") + std::string(named.name);
  }
  return names;
}

std::string FormOf(Family family) {
  return family == Family::kTransformer ? "LAYERSxWIDTHxHEADS such as 2x32x2"
                                        : "LAYERSxHIDDEN such as 1x24";
}

// The complaint about `numbers` as a shape of `family`; empty if there is none.
std::string Complaint(Family family, const std::vector<int>& numbers) {
  const std::size_t wanted = family == Family::kTransformer ? 3 : 2;
  if (numbers.size() != wanted) return "expected " + FormOf(family);
  if (numbers[0] < 1 || numbers[0] > kMaxLayers) {
    return "layers must be 1 to " + std::to_string(kMaxLayers);
  }
  if (numbers[1] < 1 || numbers[1] > kMaxWidth) {
    return "width must be 1 to " + std::to_string(kMaxWidth);
  }
  if (family == Family::kTransformer && (numbers[2] < 1 || numbers[1] % numbers[2] != 0)) {
    return std::to_string(numbers[2]) + " heads do not divide width " + std::to_string(numbers[1]);
  }
  return "";
}

}  // namespace

std::string_view FamilyName(Family family) { return NameIn(kFamilies, family); }
std::optional<Family> FamilyFromName(std::string_view name) { return ValueIn(kFamilies, name); }
std::string_view InitName(Init init) { return NameIn(kInits, init); }
std::optional<Init> InitFromName(std::string_view name) { return ValueIn(kInits, name); }

std::optional<ModelConfig> ParseShape(Family family, std::string_view text, std::string* why) {
  for (const NamedShape& named : kNamedShapes) {
    if (named.family == family && named.name == text) return ParseShape(family, named.shape, why);
  }
  const std::optional<std::vector<int>> numbers = SplitNumbers(text);
  const std::string complaint =
      numbers ? Complaint(family, *numbers)
              : "expected " + FormOf(family) + ", or one of " + NamesOf(family);
  if (!complaint.empty()) {
    if (why != nullptr) *why = complaint;
    return std::nullopt;
  }
  ModelConfig model;
  model.family = family;
  model.layers = (*numbers)[0];
  model.width = (*numbers)[1];
  model.heads = family == Family::kTransformer ? (*numbers)[2] : 0;
  return model;
}

std::string ShapeText(const ModelConfig& model) {
  std::string text = std::to_string(model.layers) + "x" + std::to_string(model.width);
  if (model.family == Family::kTransformer) text += "x" + std::to_string(model.heads);
  return text;
}

bool IsNamedShape(const ModelConfig& model) {
  const std::string text = ShapeText(model);
  for (const NamedShape& named : kNamedShapes) {
    if (named.family == model.family && named.shape == text) return true;
  }
  return false;
}

}  // namespace etude
