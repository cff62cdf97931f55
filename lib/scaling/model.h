// The two families of models, as sizes; lib/models builds them, counts.h counts them.
#ifndef ETUDE_LIB_SCALING_MODEL_H_
#define ETUDE_LIB_SCALING_MODEL_H_

#include <optional>
#include <string>
#include <string_view>

namespace etude {

enum class Family { kTransformer, kLstm };
enum class Init { kGpt2, kWidth };

struct ModelConfig {
  Family family = Family::kTransformer;
  int layers = 0;
  int width = 0;  // d_model of the transformer, hidden (= embedding) size of the LSTM
  int heads = 0;  // transformer only; 0 for the LSTM
  int vocab = 0;
  int context = 64;
  double dropout = 0.0;
  Init init = Init::kWidth;
  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

std::string_view FamilyName(Family family);  // "transformer", "lstm"
std::optional<Family> FamilyFromName(std::string_view name);
std::string_view InitName(Init init);  // "gpt2", "width"
std::optional<Init> InitFromName(std::string_view name);

// "2x32x2" (layers x width x heads) or "1x24" (layers x hidden), or a name of the family (DESIGN.md
// section 6). Sets family, layers, width and heads; nullopt if it is neither, if a number is out of
// range, or if heads do not divide the width; `why`, when given, then says which.
std::optional<ModelConfig> ParseShape(Family family, std::string_view text,
                                      std::string* why = nullptr);
// The canonical "2x32x2" or "1x24".
std::string ShapeText(const ModelConfig& model);
// True for the nine named shapes, whose automatic init is gpt2.
bool IsNamedShape(const ModelConfig& model);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_MODEL_H_
