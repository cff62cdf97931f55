#include "lib/scaling/training_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/scaling/counts.h"
#include "lib/scaling/plan.h"

namespace etude {
namespace {

constexpr std::string_view kAll = "*";
// What a worker may claim and be believed.
constexpr double kLowestRate = 1e-3;
constexpr double kHighestRate = 1e15;
// A mean that would move by less stays: most runs of a pace then cost no write.
constexpr double kLeastMove = 0.02;

}  // namespace

std::string WorkerKind(const Worker& worker) {
  return fmt::format("{}, {}, {} threads", worker.device, worker.cpu, worker.threads_per_slot);
}

Pace PaceOf(const RunConfig& config) {
  const ModelConfig& model = config.model;
  return {
      .text = fmt::format("{} {} vocab {} context {} batch {} threads {} {}",
                          FamilyName(model.family), ShapeText(model), model.vocab, model.context,
                          config.batch, config.threads, KernelsName(config.kernels)),
      .family = model.family,
      .assumed_tokens_per_s =
          AssumedFlopRate(config) / static_cast<double>(TrainFlopsPerToken(model))};
}

std::optional<TrainingRate> TrainingRates::With(const std::string& worker_kind, const Pace& pace,
                                                double tokens_per_s, bool ended) const {
  if (!(tokens_per_s >= kLowestRate && tokens_per_s <= kHighestRate)) return std::nullopt;
  const auto known =
      rates_.find(std::pair<std::string_view, std::string_view>(worker_kind, pace.text));
  TrainingRate rate{worker_kind, pace, tokens_per_s, ended ? 1 : 0};
  if (known == rates_.end()) {
    return rates_.size() < kMaxTrainingRates ? std::optional(rate) : std::nullopt;
  }
  if (!ended) return std::nullopt;
  const TrainingRate& before = known->second;
  rate.runs = std::min(before.runs + 1, kMaxRunsOfARate);
  const double seconds = 1 / before.tokens_per_s;
  const double mean = seconds + (1 / tokens_per_s - seconds) / rate.runs;
  if (rate.runs == before.runs && std::abs(mean - seconds) < kLeastMove * seconds) {
    return std::nullopt;
  }
  rate.tokens_per_s = 1 / mean;
  return rate;
}

void TrainingRates::Set(TrainingRate rate) {
  const Key key(rate.worker_kind, rate.pace.text);
  const auto known = rates_.find(key);
  if (known != rates_.end()) Count(known->second, -1);
  Count(rate, 1);
  rates_[key] = std::move(rate);
}

void TrainingRates::Count(const TrainingRate& rate, int sign) {
  const double log_ratio = std::log(rate.tokens_per_s / rate.pace.assumed_tokens_per_s);
  const std::string family(FamilyName(rate.pace.family));
  for (const std::string& kind : {rate.worker_kind, std::string(kAll)}) {
    for (const std::string& scope : {rate.pace.text, family, std::string(kAll)}) {
      Ratios& ratios = ratios_[{kind, scope}];
      ratios.log_sum += sign * log_ratio;
      ratios.count += sign;
      if (ratios.count == 0) ratios.log_sum = 0;  // no rest of rounding
    }
  }
}

std::optional<double> TrainingRates::Ratio(std::string_view worker_kind,
                                           std::string_view scope) const {
  const auto found = ratios_.find(std::pair(worker_kind, scope));
  if (found == ratios_.end() || found->second.count == 0) return std::nullopt;
  return std::exp(found->second.log_sum / found->second.count);
}

double TrainingRates::SecondsPerToken(const std::string& worker_kind, const Pace& pace) const {
  const auto known =
      rates_.find(std::pair<std::string_view, std::string_view>(worker_kind, pace.text));
  if (known != rates_.end()) return 1 / known->second.tokens_per_s;
  for (const std::string_view kind : {std::string_view(worker_kind), kAll}) {
    for (const std::string_view scope :
         {std::string_view(pace.text), FamilyName(pace.family), kAll}) {
      const std::optional<double> ratio = Ratio(kind, scope);
      if (ratio) return 1 / (*ratio * pace.assumed_tokens_per_s);
    }
  }
  return 1 / pace.assumed_tokens_per_s;
}

}  // namespace etude
