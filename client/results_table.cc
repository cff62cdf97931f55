#include "client/results_table.h"

#include <cmath>
#include <numbers>
#include <optional>
#include <string>

#include "lib/scaling/counts.h"
#include "lib/scaling/fit_runs.h"

namespace etude {
namespace {

std::vector<Column> ResultColumns() {
  return {{"run", "run", Show::kId},
          {"family", "family"},
          {"shape", "shape"},
          {"n_all", "N all", Show::kCount},
          {"n_body", "N body", Show::kCount},
          {"n_compute", "N compute", Show::kCount},
          {"tokens", "D", Show::kCount},
          {"unique_tokens", "U", Show::kCount},
          {"tokens_per_param", "D/N"},
          {"epochs", "D/U"},
          {"train_dense_flop", "FLOPs", Show::kScientific},
          {"train_causal_flop", "causal", Show::kScientific},
          {"evaluation_flop", "evaluation", Show::kScientific},
          {"six_nd_flop", "6ND", Show::kScientific},
          {"train_s", "training", Show::kSeconds},
          {"eval_s", "evaluating", Show::kSeconds},
          {"tokens_per_s", "tokens/s", Show::kCount},
          {"device", "device"},
          {"val_loss", "val", Show::kLoss},
          {"best_val_loss", "best val", Show::kLoss},
          {"train_eval_loss", "train_eval", Show::kLoss},
          {"perplexity", "perplexity"},
          {"bits_per_char", "bits/char", Show::kLoss},
          {"seed", "seed"},
          {"lr", "lr"},
          {"context", ""},
          {"batch", ""},
          {"steps", ""},
          {"dropout", ""},
          {"corpus", "", Show::kId},
          {"weights_sha256", ""},
          {"mixed_numerics", ""},
          {"state", "state"},
          {"reason", "reason"},
          {"held_out", "held out"},
          {"trunk", ""}};
}

Cell BitsPerChar(const std::optional<RunResult>& result, const Corpus* corpus) {
  if (!result || corpus == nullptr || corpus->chars_per_token <= 0) return {};
  return result->val_loss / std::numbers::ln2 / corpus->chars_per_token;
}

std::vector<Cell> ResultRow(const RunProgress& progress, const Corpus* corpus) {
  const Run& run = progress.run;
  const RunConfig& config = run.config;
  const std::optional<RunResult>& result = run.result;
  const ParameterCounts counts = CountParameters(config.model);
  const RunFlops flops = CountRunFlops(config, corpus == nullptr ? Corpus() : *corpus);
  const auto measured = [&](auto member) { return result ? Cell((*result).*member) : Cell(); };
  const double tokens = static_cast<double>(config.tokens());
  return {run.key.text(),
          std::string(FamilyName(config.model.family)),
          ShapeText(config.model),
          counts.all,
          counts.body,
          counts.compute,
          config.tokens(),
          config.unique_tokens,
          tokens / static_cast<double>(counts.compute),
          config.epochs(),
          flops.train_dense,
          flops.train_causal,
          corpus == nullptr ? Cell() : Cell(flops.evaluation),
          flops.six_nd,
          measured(&RunResult::train_seconds),
          measured(&RunResult::eval_seconds),
          measured(&RunResult::tokens_per_s),
          measured(&RunResult::device),
          measured(&RunResult::val_loss),
          measured(&RunResult::best_val_loss),
          measured(&RunResult::train_eval_loss),
          result ? Cell(std::exp(result->val_loss)) : Cell(),
          BitsPerChar(result, corpus),
          static_cast<std::int64_t>(config.seed),
          config.lr,
          static_cast<std::int64_t>(config.model.context),
          static_cast<std::int64_t>(config.batch),
          config.steps,
          config.model.dropout,
          config.corpus.text(),
          measured(&RunResult::weights_sha256),
          measured(&RunResult::mixed_numerics),
          std::string(RunStateName(run.state)),
          run.reason.empty() ? Cell() : Cell(run.reason),
          progress.held_out,
          TrunkName(config)};
}

}  // namespace

Report ResultsReport(const std::vector<RunProgress>& runs, const CorporaById& corpora) {
  Report report{"runs", {}, Table{ResultColumns(), {}}, "no runs"};
  for (const RunProgress& progress : runs) {
    const auto corpus = corpora.find(progress.run.config.corpus);
    report.list->rows.push_back(
        ResultRow(progress, corpus == corpora.end() ? nullptr : &corpus->second));
  }
  return report;
}

}  // namespace etude
