#include "lib/scaling/design.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "lib/scaling/quantity.h"

namespace etude {
namespace {

constexpr double kNominalExponent = 0.5;
constexpr double kRankTolerance = 1e-4;  // singular values below this share of the largest are zero
constexpr double kSameTokens = 0.01;     // D within 1 % are one D: rounding to steps moves them
constexpr double kSameRatio = 0.02;      // D/N within 2 % are one ratio
constexpr int kMaxColumns = 5;
constexpr int kMaxSweeps = 50;  // Jacobi rotations converge in fewer than ten sweeps

using Row = std::array<double, kMaxColumns>;
using Gram = std::array<Row, kMaxColumns>;

// Eigenvalues of the symmetric leading block of `size` rows, by cyclic Jacobi rotations (Golub and
// Van Loan, section 8.5).
std::vector<double> Eigenvalues(Gram a, int size) {
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    double off = 0;
    for (int p = 0; p < size; ++p) {
      for (int q = p + 1; q < size; ++q) {
        off += a[p][q] * a[p][q];
        if (a[p][q] == 0) continue;
        const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1 / std::hypot(t, 1.0), s = t * c;
        for (int k = 0; k < size; ++k) {
          const double kp = a[k][p], kq = a[k][q];
          a[k][p] = c * kp - s * kq;
          a[k][q] = s * kp + c * kq;
        }
        for (int k = 0; k < size; ++k) {
          const double pk = a[p][k], qk = a[q][k];
          a[p][k] = c * pk - s * qk;
          a[q][k] = s * pk + c * qk;
        }
      }
    }
    if (off < 1e-30) break;
  }
  std::vector<double> values;
  for (int i = 0; i < size; ++i) values.push_back(std::max(a[i][i], 0.0));
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

// Rank and condition of the Jacobian with these rows, its columns scaled to unit length.
void Measure(const std::vector<Row>& rows, LawVerdict& verdict) {
  const int size = verdict.parameters;
  Gram gram{};
  for (const Row& row : rows) {
    for (int i = 0; i < size; ++i) {
      for (int j = 0; j < size; ++j) gram[i][j] += row[i] * row[j];
    }
  }
  Row length{};
  for (int i = 0; i < size; ++i) length[i] = std::sqrt(gram[i][i]);
  for (int i = 0; i < size; ++i) {
    for (int j = 0; j < size; ++j) {
      const double scale = length[i] * length[j];
      gram[i][j] = scale > 0 ? gram[i][j] / scale : 0;
    }
  }
  const std::vector<double> values = Eigenvalues(gram, size);
  for (const double value : values) {
    if (std::sqrt(value) > kRankTolerance * std::sqrt(values[0])) ++verdict.rank;
  }
  verdict.rank = std::min(verdict.rank, static_cast<int>(rows.size()));
  verdict.condition = verdict.rank == size ? std::sqrt(values[0] / values.back())
                                           : std::numeric_limits<double>::infinity();
  verdict.identifiable = verdict.rank == size && verdict.condition < kMaxDesignCondition;
}

double MeanLog(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return sum / static_cast<double>(values.size());
}

// d(c x^-a)/d(c, a) at c = 1, x centred in its logarithm.
std::pair<double, double> PowerColumns(double value, double mean_log) {
  const double log = std::log(value) - mean_log;
  const double power = std::exp(-kNominalExponent * log);
  return {power, -log * power};
}

std::string CountText(std::size_t count, const std::string& one, const std::string& varies) {
  if (count == 1) return varies + " never varies";
  return "two " + one + " only";
}

LawVerdict JudgePower(const std::string& law, const std::vector<double>& values,
                      const std::string& letter, const std::string& noun) {
  LawVerdict verdict;
  verdict.law = law;
  verdict.parameters = 3;
  const double mean_log = MeanLog(values);
  std::vector<Row> rows;
  for (const double value : values) {
    const auto [power, slope] = PowerColumns(value, mean_log);
    rows.push_back({1, power, slope});
  }
  Measure(rows, verdict);
  if (verdict.identifiable) return verdict;
  if (values.size() < 3) {
    verdict.reasons.push_back(CountText(values.size(), noun, letter));
  } else {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    verdict.reasons.push_back(
        fmt::format("{} spans only a factor of {:.2g}", letter, *high / *low));
  }
  return verdict;
}

// The distinct values, those within 1 % of a cluster's first taken as one.
std::vector<double> Distinct(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<double> distinct;
  for (const double value : values) {
    if (distinct.empty() || value > distinct.back() * (1 + kSameTokens)) distinct.push_back(value);
  }
  return distinct;
}

// The largest set of distinct second values that share a first one: the slice a power law in the
// second is judged on.
std::vector<double> LargestSlice(std::span<const DesignPoint> points, const std::vector<double>& at,
                                 double DesignPoint::*first, double DesignPoint::*second) {
  std::vector<double> largest;
  for (const double level : at) {
    std::vector<double> slice;
    for (const DesignPoint& point : points) {
      if (point.*first >= level && point.*first <= level * (1 + kSameTokens)) {
        slice.push_back(point.*second);
      }
    }
    slice = Distinct(std::move(slice));
    if (slice.size() > largest.size()) largest = std::move(slice);
  }
  return largest;
}

bool RatioIsConstant(std::span<const DesignPoint> points) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const DesignPoint& point : points) {
    low = std::min(low, point.tokens / point.parameters);
    high = std::max(high, point.tokens / point.parameters);
  }
  return high <= low * (1 + kSameRatio);
}

LawVerdict JudgeJoint(std::span<const DesignPoint> points, std::size_t sizes,
                      std::size_t token_counts) {
  LawVerdict verdict;
  verdict.law = "chinchilla";
  verdict.parameters = 5;
  std::set<std::pair<double, double>> distinct;
  for (const DesignPoint& point : points) distinct.emplace(point.parameters, point.tokens);
  std::vector<double> all_n, all_d;
  for (const auto& [n, d] : distinct) {
    all_n.push_back(n);
    all_d.push_back(d);
  }
  const double mean_n = MeanLog(all_n), mean_d = MeanLog(all_d);
  std::vector<Row> rows;
  for (const auto& [n, d] : distinct) {
    const auto [n_power, n_slope] = PowerColumns(n, mean_n);
    const auto [d_power, d_slope] = PowerColumns(d, mean_d);
    rows.push_back({1, n_power, d_power, n_slope, d_slope});
  }
  Measure(rows, verdict);
  if (verdict.identifiable) return verdict;
  if (sizes <= 2) verdict.reasons.push_back(CountText(sizes, "sizes", "N"));
  if (token_counts <= 2) verdict.reasons.push_back(CountText(token_counts, "values of D", "D"));
  if (sizes > 1 && token_counts > 1 && RatioIsConstant(points)) {
    verdict.reasons.push_back("D/N is constant");
  }
  if (rows.size() < 5) {
    verdict.reasons.push_back(fmt::format("{} points for 5 parameters", rows.size()));
  }
  if (verdict.reasons.empty()) {
    verdict.reasons.push_back("N and D vary too little apart from each other");
  }
  return verdict;
}

// To two significant digits: nobody types 66674.
std::string RoundText(double value) {
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 1);
  return QuantityText(std::round(std::round(value / unit) * unit));
}

std::string RepairFor(std::size_t sizes, const std::vector<double>& tokens) {
  if (sizes < 3) {
    return fmt::format("add {} more {} at least a factor of 3 apart in N", 3 - sizes,
                       sizes == 2 ? "size" : "sizes");
  }
  if (tokens.size() < 3) {
    return fmt::format(
        "give every size three values of D, such as tokens = [\"{}\", \"{}\", \"{}\"]",
        RoundText(tokens.front() / 9), RoundText(tokens.front() / 3), RoundText(tokens.front()));
  }
  return fmt::format(
      "cross sizes and D: give the smallest size tokens = [\"{}\"] and the largest tokens = "
      "[\"{}\"] as well",
      RoundText(tokens.back()), RoundText(tokens.front()));
}

}  // namespace

FamilyDesign JudgeDesign(Family family, std::span<const DesignPoint> points) {
  FamilyDesign design;
  design.family = family;
  if (points.empty()) return design;
  std::vector<double> n, d;
  for (const DesignPoint& point : points) {
    n.push_back(point.parameters);
    d.push_back(point.tokens);
  }
  std::sort(n.begin(), n.end());
  n.erase(std::unique(n.begin(), n.end()), n.end());
  d = Distinct(std::move(d));
  design.sizes = static_cast<int>(n.size());
  design.token_counts = static_cast<int>(d.size());
  design.laws.push_back(
      JudgePower("power-n", LargestSlice(points, d, &DesignPoint::tokens, &DesignPoint::parameters),
                 "N", "sizes"));
  design.laws.push_back(
      JudgePower("power-d", LargestSlice(points, n, &DesignPoint::parameters, &DesignPoint::tokens),
                 "D", "values of D"));
  design.laws.push_back(JudgeJoint(points, n.size(), d.size()));
  design.identifiable = design.laws.back().identifiable;
  if (!design.identifiable) design.repair = RepairFor(n.size(), d);
  return design;
}

}  // namespace etude
