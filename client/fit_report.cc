#include "client/fit_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/scaling/counts.h"
#include "lib/scaling/fit_predict.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(std::string_view text) { return std::string(text); }

Cell NumberCell(double value) { return std::isfinite(value) ? Cell(value) : Cell(); }

std::string FamilyText(const std::optional<Family>& family) {
  return family ? Text(FamilyName(*family)) : "fit";
}

std::vector<Column> FitColumnsOf(bool families) {
  return {{"family", families ? "family" : ""},
          {"parameter", "parameter"},
          {"value", "value"},
          {"se", "se"},
          {"ci95_low", "95 % from"},
          {"ci95_high", "to"},
          {"status", "status"}};
}

void AddEstimate(const FamilyFit& fit, std::string_view name, const Estimate& estimate,
                 Table& table) {
  table.rows.push_back({fit.family ? Cell(FamilyText(fit.family)) : Cell(), Text(name),
                        NumberCell(estimate.value), NumberCell(estimate.se),
                        NumberCell(estimate.ci95.low), NumberCell(estimate.ci95.high),
                        Text(IdentificationName(estimate.status))});
}

std::string ExponentsText(const Fit& fit) {
  std::string text;
  for (const Parameter exponent : ExponentsOf(fit.law)) {
    const Estimate& estimate = *fit.Find(exponent);
    text += (text.empty() ? "" : ", ") + Text(ParameterName(exponent));
    if (std::isfinite(estimate.value)) {
      text += fmt::format(" {:.3f} [{:.3f}, {:.3f}]", estimate.value, estimate.ci95.low,
                          estimate.ci95.high);
    }
    text += " " + Text(IdentificationName(estimate.status));
  }
  return text;
}

const FrozenPrediction* PredictionOf(const RunKey& run,
                                     const std::vector<FrozenPrediction>& predictions) {
  const auto at = std::ranges::find(predictions, run, &FrozenPrediction::run);
  return at == predictions.end() ? nullptr : &*at;
}

// The verdict and, where there is something to say, why.
struct HeldOutWords {
  std::string verdict;
  std::string why;
  std::optional<double> relative_error;
};

HeldOutWords Judge(const RunProgress& progress, const FrozenPrediction* frozen) {
  const Run& run = progress.run;
  if (frozen == nullptr) {
    const bool over = IsTerminal(run.state);
    return {over ? "not predicted" : "waiting", over ? run.reason : progress.wait_reason, {}};
  }
  if (!run.result) {
    const bool over = IsTerminal(run.state);
    return {over ? "not measured" : "waiting", over ? run.reason : progress.wait_reason, {}};
  }
  const HeldOutVerdict verdict = JudgeHeldOut(frozen->prediction, run.result->val_loss);
  std::string why = fmt::format("{}", fmt::join(verdict.reasons, "; "));
  if (!frozen->blind) {
    why += fmt::format("{}not blind: the run was trained for another sweep before it was predicted",
                       why.empty() ? "" : "; ");
  }
  return {verdict.passed() && frozen->blind ? "passed" : "failed", why, verdict.relative_error};
}

struct Pair {
  const FamilyComparison& first;
  const FamilyComparison& second;
};

std::vector<Pair> PairsOf(const std::vector<FamilyComparison>& families) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < families.size(); ++i) {
    for (std::size_t j = i + 1; j < families.size(); ++j) {
      pairs.push_back({families[i], families[j]});
    }
  }
  return pairs;
}

void AddDifference(const Pair& pair, Parameter exponent, Table& table) {
  const Estimate& first = *pair.first.fit.Find(exponent);
  const Estimate& second = *pair.second.fit.Find(exponent);
  std::vector<Cell> row = {Text(ParameterName(exponent)), Text(FamilyName(pair.first.family)),
                           NumberCell(first.value), Text(FamilyName(pair.second.family)),
                           NumberCell(second.value)};
  const auto difference = CompareExponents(pair.first.fit, pair.second.fit, exponent);
  if (difference.ok()) {
    row.insert(row.end(), {difference->difference, NumberCell(difference->ci95.low),
                           NumberCell(difference->ci95.high), NumberCell(difference->p),
                           difference->distinct});
  } else {
    row.insert(row.end(), {Cell(), Cell(), Cell(), Cell(), false});
  }
  table.rows.push_back(std::move(row));
}

}  // namespace

Report FitReport(const std::vector<FamilyFit>& fits) {
  const bool families = std::ranges::any_of(fits, [](const auto& fit) { return !!fit.family; });
  Report report{"params", {}, Table{FitColumnsOf(families), {}}, "no fit"};
  for (const FamilyFit& fit : fits) {
    for (const ParameterEstimate& parameter : fit.fit.params) {
      AddEstimate(fit, ParameterName(parameter.parameter), parameter.estimate, *report.list);
    }
    if (fit.fit.a_opt) AddEstimate(fit, "a_opt", *fit.fit.a_opt, *report.list);
  }
  return report;
}

std::string FitsJson(const std::vector<FamilyFit>& fits, const std::string& sweep) {
  const auto with_names = [&](const FamilyFit& fit) {
    Json json;
    if (!sweep.empty()) json["sweep"] = sweep;
    if (fit.family) json["family"] = FamilyText(fit.family);
    json.update(Json::parse(fit.json));
    return json;
  };
  if (fits.size() == 1 && !fits.front().family) return fits.front().json + "\n";
  if (fits.size() == 1) return with_names(fits.front()).dump(2) + "\n";
  Json json = {{"format_version", "1.0"}, {"sweep", sweep}, {"fits", Json::array()}};
  for (const FamilyFit& fit : fits) json["fits"].push_back(with_names(fit));
  return json.dump(2) + "\n";
}

std::vector<std::string> FitNotes(const FamilyFit& shown) {
  const Fit& fit = shown.fit;
  const std::string objective =
      fit.delta ? fmt::format("{} (delta {:g})", ObjectiveName(fit.objective), *fit.delta)
                : Text(ObjectiveName(fit.objective));
  std::vector<std::string> notes = {fmt::format(
      "{}: {} {}; {} points in {} clusters, sum of {} = {:.4g}, intervals by {}, N counted as {}",
      FamilyText(shown.family), LawFormula(fit.law), IdentificationName(fit.verdict), fit.n_points,
      fit.clusters, objective, fit.objective_value,
      fit.bootstrap_reported ? "cluster bootstrap" : "profile and Student's t",
      fit.provenance.convention)};
  for (const std::string& reason : fit.reasons) notes.push_back("  because: " + reason);
  for (const std::string& repair : fit.repairs) notes.push_back("  repair: " + repair);
  for (const std::string& warning : fit.warnings) notes.push_back("  warning: " + warning);
  return notes;
}

Report HeldOutReport(const SweepView& view, const std::vector<FrozenPrediction>& predictions) {
  Report report{"held_out",
                {},
                Table{{{"run", "run", Show::kId},
                       {"family", "family"},
                       {"shape", "shape"},
                       {"n_compute", "N", Show::kCount},
                       {"tokens", "D", Show::kCount},
                       {"seed", "seed"},
                       {"predicted_loss", "predicted", Show::kLoss},
                       {"ci95_low", "95 % from", Show::kLoss},
                       {"ci95_high", "to", Show::kLoss},
                       {"measured_loss", "measured", Show::kLoss},
                       {"relative_error", "error", Show::kShare},
                       {"verdict", "verdict"},
                       {"blind", ""},
                       {"frozen_at", ""},
                       {"sha256", "hash", Show::kId},
                       {"why", "why"}},
                      {}},
                "this sweep holds no run out; write a [[holdout]] table into its spec"};
  for (const RunProgress& progress : view.runs) {
    if (!progress.held_out) continue;
    const RunConfig& config = progress.run.config;
    const FrozenPrediction* frozen = PredictionOf(progress.run.key, predictions);
    const HeldOutWords words = Judge(progress, frozen);
    const auto predicted = [&](auto value) { return frozen ? Cell(value(*frozen)) : Cell(); };
    report.list->rows.push_back(
        {progress.run.key.text(), Text(FamilyName(config.model.family)), ShapeText(config.model),
         CountParameters(config.model).compute, config.tokens(),
         static_cast<std::int64_t>(config.seed),
         predicted([](const auto& one) { return one.prediction.loss; }),
         predicted([](const auto& one) { return one.prediction.ci95.low; }),
         predicted([](const auto& one) { return one.prediction.ci95.high; }),
         progress.run.result ? Cell(progress.run.result->val_loss) : Cell(),
         CellOf(words.relative_error), words.verdict,
         predicted([](const auto& one) { return one.blind; }),
         predicted([](const auto& one) { return ToIso8601(FromMicros(one.frozen_at_us)); }),
         predicted([](const auto& one) { return FrozenPredictionHash(one); }),
         words.why.empty() ? Cell() : Cell(words.why)});
  }
  return report;
}

Report CompareReport(const std::string& sweep, const std::vector<FamilyComparison>& families) {
  Report report{"exponents",
                {},
                Table{{{"exponent", "exponent"},
                       {"family", "family"},
                       {"value", "value"},
                       {"other_family", "other"},
                       {"other_value", "value"},
                       {"difference", "difference"},
                       {"ci95_low", "95 % from"},
                       {"ci95_high", "to"},
                       {"p", "p"},
                       {"distinct", "distinct"}},
                      {}},
                "one family: nothing to compare"};
  int pairs = 0;
  std::vector<std::string> rises;
  for (const FamilyComparison& family : families) {
    pairs += family.falls.pairs;
    for (const LossRise& rise : family.falls.rises) {
      rises.push_back(fmt::format("{} {}", FamilyName(family.family), rise.Text()));
    }
  }
  report.facts = {{{"sweep", "sweep"}, sweep},
                  {{"neighbours", "neighbours compared"}, static_cast<std::int64_t>(pairs)},
                  {{"rises", "where loss did not fall"}, rises},
                  {{"doubts", "doubts"}, ScalingDoubts(families)}};
  for (const Pair& pair : PairsOf(families)) {
    for (const Parameter exponent : ExponentsOf(pair.first.fit.law)) {
      AddDifference(pair, exponent, *report.list);
    }
  }
  return report;
}

std::vector<std::string> CompareNotes(const std::vector<FamilyComparison>& families) {
  std::vector<std::string> notes;
  for (const FamilyComparison& family : families) {
    notes.push_back(fmt::format("{}: {}; loss falls between {} of {} neighbours",
                                FamilyName(family.family), ExponentsText(family.fit),
                                family.falls.pairs - static_cast<int>(family.falls.rises.size()),
                                family.falls.pairs));
  }
  for (const Pair& pair : PairsOf(families)) {
    for (const Parameter exponent : ExponentsOf(pair.first.fit.law)) {
      const auto difference = CompareExponents(pair.first.fit, pair.second.fit, exponent);
      const std::string_view name = ParameterName(exponent);
      if (!difference.ok()) {
        notes.push_back(fmt::format("{}: {}", name, MessageOf(difference.status())));
      } else if (difference->distinct) {
        notes.push_back(
            fmt::format("{} differs: {} {:.3f}, {} {:.3f}; difference {:+.3f} [{:+.3f}, {:+.3f}]",
                        name, FamilyName(pair.first.family), pair.first.fit.Find(exponent)->value,
                        FamilyName(pair.second.family), pair.second.fit.Find(exponent)->value,
                        difference->difference, difference->ci95.low, difference->ci95.high));
      } else {
        notes.push_back(
            fmt::format("{}: no difference can be claimed: {:+.3f} [{:+.3f}, {:+.3f}] includes 0",
                        name, difference->difference, difference->ci95.low, difference->ci95.high));
      }
    }
  }
  return notes;
}

std::vector<std::string> ScalingDoubts(const std::vector<FamilyComparison>& families) {
  std::vector<std::string> doubts;
  for (const FamilyComparison& family : families) {
    const std::string_view name = FamilyName(family.family);
    if (family.falls.pairs == 0) doubts.push_back(fmt::format("{}: no neighbours", name));
    for (const LossRise& rise : family.falls.rises) {
      doubts.push_back(fmt::format("{}: loss does not fall {}", name, rise.Text()));
    }
    for (const Parameter exponent : ExponentsOf(family.fit.law)) {
      const Estimate& estimate = *family.fit.Find(exponent);
      const bool excludes_0 =
          estimate.status != Identification::kNotIdentified && estimate.ci95.low > 0;
      if (excludes_0) continue;
      doubts.push_back(fmt::format("{}: the 95 % interval of {} is not above 0 ({})", name,
                                   ParameterName(exponent), IdentificationName(estimate.status)));
    }
  }
  return doubts;
}

}  // namespace etude
