// The scaling laws and their derivatives. Losses in nats/token, N parameters, D tokens. Pure.
//   power-n     L = E + A/N^alpha
//   power-d     L = E + B/D^beta
//   chinchilla  L = E + A/N^alpha + B/D^beta   (Hoffmann et al. 2022, section 3.3)
#ifndef ETUDE_LIB_SCALING_LAW_H_
#define ETUDE_LIB_SCALING_LAW_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace etude {

enum class Law { kPowerN, kPowerD, kChinchilla };
std::string_view LawName(Law law);  // "power-n", "power-d", "chinchilla"
std::optional<Law> LawFromName(std::string_view name);
// "L = E + A/N^alpha", for people.
std::string_view LawFormula(Law law);

enum class Parameter { kE, kA, kB, kAlpha, kBeta };
inline constexpr std::size_t kParameterCount = 5;
std::string_view ParameterName(Parameter parameter);  // "E", "A", "B", "alpha", "beta"
std::optional<Parameter> ParameterFromName(std::string_view name);
constexpr std::size_t IndexOf(Parameter parameter) { return static_cast<std::size_t>(parameter); }

// The parameters of `law`, in the order E A B alpha beta, and those of them that are exponents.
std::span<const Parameter> ParametersOf(Law law);
std::span<const Parameter> ExponentsOf(Law law);
bool HasParameter(Law law, Parameter parameter);

// Indexed by Parameter; what a law does not have is 0.
using LawParameters = std::array<double, kParameterCount>;

// The loss a law predicts; n and d above 0. Serves all three laws, whose missing terms are 0.
double LawLoss(const LawParameters& parameters, double n, double d);

// A law at centred logarithms x = ln N - c_n, y = ln D - c_d:
//   L = E + A' exp(-alpha x) + B' exp(-beta y),  A' = A exp(-alpha c_n),  B' = B exp(-beta c_d),
// which takes the correlation of A with alpha and B with beta out of the fit.
struct LawPoint {
  double loss = 0;
  LawParameters gradient = {};  // dL / d(E, A', B', alpha, beta)
  double second_a_alpha = 0;    // d2L / dA' dalpha; second derivatives not listed are 0
  double second_alpha_alpha = 0;
  double second_b_beta = 0;
  double second_beta_beta = 0;
};
LawPoint EvaluateLaw(const LawParameters& centred, double x, double y);

// A, B of `parameters` to A', B' at these centres and back.
LawParameters Centred(const LawParameters& parameters, double centre_n, double centre_d);
LawParameters Uncentred(const LawParameters& centred, double centre_n, double centre_d);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_LAW_H_
