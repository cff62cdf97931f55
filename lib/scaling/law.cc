#include "lib/scaling/law.h"

#include <algorithm>
#include <cmath>

#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<Law, 3> kLawNames = {
    {Law::kPowerN, "power-n"}, {Law::kPowerD, "power-d"}, {Law::kChinchilla, "chinchilla"}};

constexpr NameTable<Law, 3> kLawFormulas = {{Law::kPowerN, "L = E + A/N^alpha"},
                                            {Law::kPowerD, "L = E + B/D^beta"},
                                            {Law::kChinchilla, "L = E + A/N^alpha + B/D^beta"}};

constexpr NameTable<Parameter, 5> kParameterNames = {{Parameter::kE, "E"},
                                                     {Parameter::kA, "A"},
                                                     {Parameter::kB, "B"},
                                                     {Parameter::kAlpha, "alpha"},
                                                     {Parameter::kBeta, "beta"}};

constexpr Parameter kPowerNParameters[] = {Parameter::kE, Parameter::kA, Parameter::kAlpha};
constexpr Parameter kPowerDParameters[] = {Parameter::kE, Parameter::kB, Parameter::kBeta};
constexpr Parameter kChinchillaParameters[] = {Parameter::kE, Parameter::kA, Parameter::kB,
                                               Parameter::kAlpha, Parameter::kBeta};

}  // namespace

std::string_view LawName(Law law) { return NameIn(kLawNames, law); }

std::optional<Law> LawFromName(std::string_view name) { return ValueIn(kLawNames, name); }

std::string_view LawFormula(Law law) { return NameIn(kLawFormulas, law); }

std::string_view ParameterName(Parameter parameter) { return NameIn(kParameterNames, parameter); }

std::optional<Parameter> ParameterFromName(std::string_view name) {
  return ValueIn(kParameterNames, name);
}

std::span<const Parameter> ParametersOf(Law law) {
  if (law == Law::kPowerN) return kPowerNParameters;
  if (law == Law::kPowerD) return kPowerDParameters;
  return kChinchillaParameters;
}

std::span<const Parameter> ExponentsOf(Law law) {
  const std::span<const Parameter> all = ParametersOf(law);
  return all.last(law == Law::kChinchilla ? 2 : 1);
}

bool HasParameter(Law law, Parameter parameter) {
  return std::ranges::count(ParametersOf(law), parameter) > 0;
}

double LawLoss(const LawParameters& parameters, double n, double d) {
  return EvaluateLaw(parameters, std::log(n), std::log(d)).loss;
}

LawPoint EvaluateLaw(const LawParameters& centred, double x, double y) {
  const auto [e, a, b, alpha, beta] = centred;
  const double shape_n = std::exp(-alpha * x);
  const double shape_d = std::exp(-beta * y);
  const double term_n = a * shape_n;
  const double term_d = b * shape_d;
  LawPoint point;
  point.loss = e + term_n + term_d;
  point.gradient = {1, shape_n, shape_d, -x * term_n, -y * term_d};
  point.second_a_alpha = -x * shape_n;
  point.second_alpha_alpha = x * x * term_n;
  point.second_b_beta = -y * shape_d;
  point.second_beta_beta = y * y * term_d;
  return point;
}

LawParameters Centred(const LawParameters& parameters, double centre_n, double centre_d) {
  const auto [e, a, b, alpha, beta] = parameters;
  return {e, a * std::exp(-alpha * centre_n), b * std::exp(-beta * centre_d), alpha, beta};
}

LawParameters Uncentred(const LawParameters& centred, double centre_n, double centre_d) {
  return Centred(centred, -centre_n, -centre_d);
}

}  // namespace etude
