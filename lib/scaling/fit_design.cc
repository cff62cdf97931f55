#include "lib/scaling/fit_design.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/status.h"
#include "lib/scaling/fit_interval.h"
#include "lib/scaling/fit_rows.h"

namespace etude {
namespace {

constexpr int kLevelsOfPowerLaw = 3;  // constant, coefficient, exponent

// 1 - r^2 of ln D on ln N below which one is a power of the other.
constexpr double kCollinear = 1e-4;

struct Axis {
  const char* name;
  Parameter coefficient;
  Parameter exponent;
};
constexpr Axis kSizeAxis = {"N", Parameter::kA, Parameter::kAlpha};
constexpr Axis kTokenAxis = {"D", Parameter::kB, Parameter::kBeta};

// Too few levels along one axis for what is free on it.
void CheckLevels(const Axis& axis, std::span<const double> levels, const FitProblem& problem,
                 std::vector<DesignFault>& faults) {
  if (!problem.free[IndexOf(axis.exponent)]) return;
  int needed = 0;
  std::string names;
  for (const Parameter parameter : {Parameter::kE, axis.coefficient, axis.exponent}) {
    if (!problem.free[IndexOf(parameter)]) continue;
    ++needed;
    names += (names.empty() ? "" : ", ") + std::string(ParameterName(parameter));
  }
  const int have = static_cast<int>(levels.size());
  if (have >= needed) return;
  if (have == 1) {
    faults.push_back({{axis.exponent},
                      fmt::format("{} never varies: it is {} in every row, so {} cannot be told",
                                  axis.name, CountText(levels[0]), ParameterName(axis.exponent))});
  } else {
    faults.push_back(
        {{axis.exponent},
         fmt::format("{0} takes {1} values ({2} and {3}): {4} need {5} or more", axis.name, have,
                     CountText(levels.front()), CountText(levels.back()), names, needed)});
  }
}

void CheckCollinearity(std::span<const FitRow> rows, std::vector<DesignFault>& faults) {
  double xx = 0;
  double xy = 0;
  double yy = 0;
  double mean_x = 0;
  double mean_y = 0;
  for (const FitRow& row : rows) {
    mean_x += std::log(row.n) / static_cast<double>(rows.size());
    mean_y += std::log(row.d) / static_cast<double>(rows.size());
  }
  for (const FitRow& row : rows) {
    const double x = std::log(row.n) - mean_x;
    const double y = std::log(row.d) - mean_y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  if (!(xx > 0 && yy > 0) || 1 - xy * xy / (xx * yy) > kCollinear) return;
  const double power = xy / xx;
  constexpr double kProportional = 0.02;
  const std::string how =
      std::abs(power - 1) < kProportional
          ? fmt::format("D/N is about {:.3g} in every row", rows.front().d / rows.front().n)
          : fmt::format("D goes with N^{:.2f} in every row", power);
  faults.push_back({{Parameter::kAlpha, Parameter::kBeta},
                    how + ": what N does cannot be told from what D does"});
}

// A run that could be added.
struct Candidate {
  double n = 0;
  double d = 0;
  double flops = 0;
};

// FLOPs per N and D: of the rows that know theirs, else 6.
double FlopsPerParameterToken(std::span<const FitRow> rows) {
  std::vector<double> known;
  for (const FitRow& row : rows) {
    if (row.flops > 0) known.push_back(row.flops / (row.n * row.d));
  }
  if (known.empty()) return 6;
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  std::ranges::nth_element(known, middle);
  return *middle;
}

// The ends and middle of `levels`, and what lies a factor 3 (and 9, `wide`) beyond either end.
std::vector<double> NearbyLevels(const std::vector<double>& levels, bool vary, bool wide) {
  if (!vary) return {levels.front()};
  std::vector<double> nearby = {levels.front(), levels[levels.size() / 2], levels.back(),
                                levels.front() / 3, levels.back() * 3};
  if (wide) {
    nearby.push_back(levels.front() / 9);
    nearby.push_back(levels.back() * 9);
  }
  for (double& value : nearby) value = std::round(value);
  std::erase_if(nearby, [](double value) { return value < 1; });
  std::ranges::sort(nearby);
  nearby.erase(std::unique(nearby.begin(), nearby.end()), nearby.end());
  return nearby;
}

// The most tokens a run may train on without repeating too often; infinity where U is not known.
double MostTokens(std::span<const FitRow> rows) {
  double most = std::numeric_limits<double>::infinity();
  for (const FitRow& row : rows) {
    if (row.u > 0) most = std::min(most, kMaxEpochs * row.u);
  }
  return most;
}

// Tokens per parameter that a repair may ask for: from 4 to 800, or as far as the rows go already.
Interval PlausibleRatios(std::span<const FitRow> rows) {
  Interval ratios = {4, 800};
  for (const FitRow& row : rows) {
    ratios.low = std::min(ratios.low, row.d / row.n);
    ratios.high = std::max(ratios.high, row.d / row.n);
  }
  return ratios;
}

std::vector<Candidate> Candidates(Law law, std::span<const FitRow> rows) {
  const double rate = FlopsPerParameterToken(rows);
  const double most_tokens = MostTokens(rows);
  const Interval ratios = PlausibleRatios(rows);
  std::vector<Candidate> candidates;
  for (const double n : NearbyLevels(SizeLevels(rows), law != Law::kPowerD, law == Law::kPowerN)) {
    for (const double d : NearbyLevels(TokenLevels(rows), law != Law::kPowerN, true)) {
      const bool there = std::ranges::any_of(rows, [&](const FitRow& row) {
        return row.n == n && std::abs(std::log(row.d / d)) < kSameLevel;
      });
      const bool repeats = d > most_tokens && law != Law::kPowerN;
      if (!there && !repeats && ratios.Contains(d / n)) candidates.push_back({n, d, rate * n * d});
    }
  }
  std::ranges::stable_sort(candidates, {}, &Candidate::flops);
  return candidates;
}

// Judges the rows together with candidates.
class RepairJudge {
 public:
  RepairJudge(const RepairGoal& goal, const FitProblem& problem) : goal_(goal), problem_(problem) {}

  bool Suffices(std::span<const Candidate> added) const {
    FitProblem with = problem_;
    for (const Candidate& candidate : added) {
      FitPoint point;
      point.x = std::log(candidate.n) - problem_.centre_n;
      point.y = std::log(candidate.d) - problem_.centre_d;
      with.points.push_back(point);
    }
    const Conditioning conditioning = ConditionAt(with, goal_.theta);
    if (conditioning.condition >= kMaxFitCondition) return false;
    if (!std::isfinite(goal_.spread)) return true;
    const ParameterMatrix covariance = CovarianceAt(with, goal_.theta, goal_.spread);
    return std::ranges::all_of(ExponentsOf(goal_.law), [&](Parameter exponent) {
      const std::size_t j = IndexOf(exponent);
      return std::sqrt(covariance[j][j]) <= kIdentifiedRelativeSe * goal_.theta[j];
    });
  }

 private:
  const RepairGoal& goal_;
  const FitProblem& problem_;
};

double TotalFlops(std::span<const Candidate> runs) {
  double sum = 0;
  for (const Candidate& run : runs) sum += run.flops;
  return sum;
}

// The cheapest set of one to three candidates that suffices; empty if none does. Candidates come
// cheapest first, so a partial sum that is no cheaper than the best ends its branch.
void Search(const RepairJudge& judge, std::span<const Candidate> candidates, std::size_t from,
            std::vector<Candidate>& chosen, std::vector<Candidate>& best, double& best_flops) {
  constexpr std::size_t kMostRuns = 3;
  for (std::size_t i = from; i < candidates.size(); ++i) {
    if (TotalFlops(chosen) + candidates[i].flops >= best_flops) return;
    chosen.push_back(candidates[i]);
    if (judge.Suffices(chosen)) {
      best = chosen;
      best_flops = TotalFlops(chosen);
    } else if (chosen.size() < kMostRuns) {
      Search(judge, candidates, i + 1, chosen, best, best_flops);
    }
    chosen.pop_back();
  }
}

std::string RunsText(std::span<const Candidate> runs) {
  std::string text;
  for (const Candidate& run : runs) {
    text += fmt::format("{}N = {} at D = {}", text.empty() ? "" : ", ", CountText(run.n),
                        CountText(run.d));
  }
  return text;
}

// How many times the whole grid must be repeated with other seeds for its errors to shrink enough;
// empty when seeds cannot help.
std::string SeedRepair(const RepairGoal& goal, std::span<const FitRow> rows,
                       const FitProblem& problem) {
  if (ConditionAt(problem, goal.theta).condition >= kMaxFitCondition ||
      !std::isfinite(goal.spread)) {
    return "";
  }
  const ParameterMatrix covariance = CovarianceAt(problem, goal.theta, goal.spread);
  double factor = 1;
  for (const Parameter exponent : ExponentsOf(goal.law)) {
    const std::size_t j = IndexOf(exponent);
    const double relative = std::sqrt(covariance[j][j]) / goal.theta[j];
    factor = std::max(factor, std::pow(relative / kIdentifiedRelativeSe, 2));
  }
  constexpr double kMostRepeats = 20;
  if (!(factor > 1) || factor > kMostRepeats) return "";
  const double repeats = std::ceil(factor) - 1;
  double flops = 0;
  const double rate = FlopsPerParameterToken(rows);
  for (const FitRow& row : rows) flops += rate * row.n * row.d;
  return fmt::format("repeat all {} runs with {:.0f} more seed{} ({:.2g} FLOP)", rows.size(),
                     repeats, repeats == 1 ? "" : "s", repeats * flops);
}

}  // namespace

std::string GridRepair(Law law, std::span<const FitRow> rows) {
  const double least_size = SizeLevels(rows).front();
  // The grid's most tokens are 9 times its fewest; power-n holds D.
  const double growth = law == Law::kPowerN ? 1 : 9;
  const double least_tokens = std::min(TokenLevels(rows).front(), MostTokens(rows) / growth);
  double flops = 0;
  const double rate = FlopsPerParameterToken(rows);
  const int size_steps = law == Law::kPowerD ? 1 : kLevelsOfPowerLaw;
  const int token_steps = law == Law::kPowerN ? 1 : kLevelsOfPowerLaw;
  for (int i = 0; i < size_steps; ++i) {
    for (int j = 0; j < token_steps; ++j) {
      flops += rate * least_size * std::pow(3, i) * least_tokens * std::pow(3, j);
    }
  }
  std::string axes;
  if (size_steps > 1) {
    axes = fmt::format("{} sizes from N = {} up", size_steps, CountText(least_size));
  }
  if (token_steps > 1) {
    axes += fmt::format("{}{} token counts from D = {} up", axes.empty() ? "" : " by ", token_steps,
                        CountText(least_tokens));
  }
  const std::string held =
      size_steps > 1 && token_steps > 1
          ? ""
          : fmt::format(" at {}", size_steps > 1 ? "D = " + CountText(least_tokens)
                                                 : "N = " + CountText(least_size));
  return fmt::format("train {}, each 3x the last{} ({:.2g} FLOP)", axes, held, flops);
}

std::vector<DesignFault> FindDesignFaults(Law law, std::span<const FitRow> rows,
                                          const FitProblem& problem) {
  std::vector<DesignFault> faults;
  const std::vector<double> sizes = SizeLevels(rows);
  const std::vector<double> tokens = TokenLevels(rows);
  if (law != Law::kPowerD) CheckLevels(kSizeAxis, sizes, problem, faults);
  if (law != Law::kPowerN) CheckLevels(kTokenAxis, tokens, problem, faults);
  const bool both =
      problem.free[IndexOf(Parameter::kAlpha)] && problem.free[IndexOf(Parameter::kBeta)];
  if (law == Law::kChinchilla && both && sizes.size() > 2 && tokens.size() > 2) {
    CheckCollinearity(rows, faults);
  }
  return faults;
}

std::string CheapestRepair(const RepairGoal& goal, std::span<const FitRow> rows,
                           const FitProblem& problem) {
  const std::vector<Candidate> candidates = Candidates(goal.law, rows);
  const RepairJudge judge(goal, problem);
  std::vector<Candidate> chosen;
  std::vector<Candidate> best;
  double best_flops = std::numeric_limits<double>::infinity();
  Search(judge, candidates, 0, chosen, best, best_flops);
  if (!best.empty()) {
    return fmt::format("add {} run{}: {} ({:.2g} FLOP)", best.size(), best.size() == 1 ? "" : "s",
                       RunsText(best), best_flops);
  }
  const std::string seeds = SeedRepair(goal, rows, problem);
  return seeds.empty() ? GridRepair(goal.law, rows) : seeds;
}

}  // namespace etude
