// Rows with a known truth, and real ones, for the tests of the fit.
#ifndef ETUDE_TESTS_UNIT_FIT_PLANTED_H_
#define ETUDE_TESTS_UNIT_FIT_PLANTED_H_

#include <cmath>
#include <cstdint>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "lib/scaling/fit.h"

namespace etude {

// E, A, B, alpha, beta of Hoffmann et al. 2022, equation 10.
inline constexpr LawParameters kHoffmann = {1.69, 406.4, 410.7, 0.34, 0.28};

inline FitRow PlantedRow(const LawParameters& truth, double n, double d) {
  FitRow row;
  row.n = n;
  row.d = d;
  row.loss = LawLoss(truth, n, d);
  return row;
}

// Every size with every token count.
inline std::vector<FitRow> PlantedGrid(const LawParameters& truth, const std::vector<double>& sizes,
                                       const std::vector<double>& tokens) {
  std::vector<FitRow> rows;
  for (const double n : sizes) {
    for (const double d : tokens) rows.push_back(PlantedRow(truth, n, d));
  }
  return rows;
}

// `count` values from `first`, each `ratio` times the last.
inline std::vector<double> Ladder(double first, double ratio, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(std::round(first * std::pow(ratio, i)));
  return values;
}

// Multiplies each loss by a normal error; Box and Muller, so that every library draws the same.
inline void AddNoise(std::vector<FitRow>& rows, double sigma_ln_loss, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1.0p-53; };
  for (FitRow& row : rows) {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    row.loss *= std::exp(sigma_ln_loss * radius * std::cos(2 * M_PI * uniform()));
  }
}

// The rows `times` over, as other seeds of the same runs.
inline std::vector<FitRow> Repeated(const std::vector<FitRow>& rows, int times) {
  std::vector<FitRow> all;
  for (int seed = 1; seed <= times; ++seed) {
    for (FitRow row : rows) {
      row.seed = static_cast<std::uint64_t>(seed);
      all.push_back(row);
    }
  }
  return all;
}

// Options without the bootstrap, which most tests do not look at.
inline FitOptions QuickOptions(Law law = Law::kChinchilla) {
  FitOptions options;
  options.law = law;
  options.bootstrap = 0;
  return options;
}

inline std::string FixtureText(const std::string& name) {
  std::stringstream text;
  text << std::ifstream("tests/unit/fit/" + name).rdbuf();
  return text.str();
}

inline std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_FIT_PLANTED_H_
