#include "lib/scaling/spec_train.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "lib/scaling/quantity.h"

namespace etude {
namespace {

constexpr int kMaxContext = 1 << 16;
constexpr int kMaxBatch = 1 << 16;
constexpr int kMaxThreads = 1024;
constexpr double kMaxTokens = 1e13;
constexpr double kMaxWarmupSteps = 1e9;
constexpr double kMaxDropout = 0.95;
constexpr double kMaxWeightDecay = 10;
constexpr double kMaxClip = 1e9;
constexpr double kMaxRate = 1e6;
constexpr double kMaxRateExponent = 5;

// Measured on folk at batch 8 x 64: the rates that DESIGN.md section 5 shows.
constexpr LearningRate kTransformerRate{.c = 4.4e-3, .n = -0.45, .d = 0.0, .at = {}};
constexpr LearningRate kLstmRate{.c = 1.9e-2, .n = -0.30, .d = 0.0, .at = {}};

template <typename T, typename Member>
void Set(TrainOverrides& overrides, const std::optional<T>& value, Member TrainSettings::*member) {
  if (!value) return;
  overrides.push_back(
      [member, v = *value](TrainSettings& s) { s.*member = static_cast<Member>(v); });
}

// A whole number of units from 1 up, where text may stand for another choice.
bool IsText(const toml::node* node, std::string_view text) {
  return node != nullptr && node->value<std::string>() == std::string(text);
}

void ReadWindows(TableReader& reader, TrainOverrides& overrides) {
  const toml::node* context_node = reader.Find("context");
  if (const auto context = reader.Whole("context", 1, kMaxContext)) {
    overrides.push_back([v = *context, at = PositionOf(*context_node)](TrainSettings& s) {
      s.context = static_cast<int>(v);
      s.context_at = at;
    });
  }
  const toml::node* stride_node = reader.Find("stride");
  if (const auto stride = reader.Whole("stride", 1, kMaxContext)) {
    overrides.push_back([v = *stride, at = PositionOf(*stride_node)](TrainSettings& s) {
      s.stride = static_cast<int>(v);
      s.stride_at = at;
    });
  }
  Set(overrides, reader.Whole("batch", 1, kMaxBatch), &TrainSettings::batch);
}

void ReadUnique(TableReader& reader, TrainOverrides& overrides, SpecErrors& errors) {
  const toml::node* node = reader.Find("unique");
  if (node == nullptr) return;
  const SourcePosition at = PositionOf(*node);
  std::optional<std::int64_t> unique;
  if (!IsText(node, "all")) {
    const auto tokens = ReadQuantity(*node, "unique (\"all\" or a number of tokens)", "tokens", 2,
                                     kMaxTokens, errors);
    if (!tokens) return;
    unique = std::llround(*tokens);
  }
  overrides.push_back([unique, at](TrainSettings& s) {
    s.unique = unique;
    s.unique_at = at;
  });
}

void ReadOptimizer(TableReader& reader, TrainOverrides& overrides, SpecErrors& errors) {
  TableReader table(reader.Table("optimizer"), "optimizer of " + reader.where(), errors);
  table.Choice("name", {"adamw"});
  if (const toml::node* betas = table.Find("betas")) {
    const toml::array* list = betas->as_array();
    const auto beta = [&](std::size_t i) -> double { return NumberOf(*list->get(i)); };
    const auto valid = [](double b) { return b >= 0 && b < 1; };
    if (list == nullptr || list->size() != 2 || !valid(beta(0)) || !valid(beta(1))) {
      table.Fail(*betas, "betas must be two numbers from 0 to below 1, such as [0.9, 0.99]");
    } else {
      overrides.push_back([b1 = beta(0), b2 = beta(1)](TrainSettings& s) {
        s.optimizer.beta1 = b1;
        s.optimizer.beta2 = b2;
      });
    }
  }
  const auto set = [&](const std::optional<double>& value, double OptimizerConfig::*member) {
    if (!value) return;
    overrides.push_back([member, v = *value](TrainSettings& s) { s.optimizer.*member = v; });
  };
  set(table.Real("epsilon", 0, 1, /*open=*/true), &OptimizerConfig::epsilon);
  set(table.Real("weight_decay", 0, kMaxWeightDecay), &OptimizerConfig::weight_decay);
  set(table.Real("clip", 0, kMaxClip), &OptimizerConfig::clip);
  table.Finish();
}

std::optional<Warmup> WarmupFromText(const std::string& text) {
  const std::optional<Quantity> quantity = ParseQuantity(text);
  if (!quantity || quantity->value != std::floor(quantity->value)) return std::nullopt;
  if (quantity->unit == "steps" && quantity->value <= kMaxWarmupSteps) {
    return Warmup{Warmup::Unit::kSteps, quantity->value};
  }
  if (quantity->unit == "tokens" && quantity->value <= kMaxTokens) {
    return Warmup{Warmup::Unit::kTokens, quantity->value};
  }
  return std::nullopt;
}

void ReadWarmup(TableReader& table, TrainOverrides& overrides) {
  const toml::node* node = table.Find("warmup");
  if (node == nullptr) return;
  std::optional<Warmup> warmup;
  if (const auto text = node->value_exact<std::string>()) warmup = WarmupFromText(*text);
  if (const auto steps = node->value_exact<std::int64_t>()) {
    if (*steps >= 0 && static_cast<double>(*steps) <= kMaxWarmupSteps) {
      warmup = Warmup{Warmup::Unit::kSteps, static_cast<double>(*steps)};
    }
  }
  if (const auto fraction = node->value_exact<double>()) {
    if (*fraction >= 0 && *fraction < 1) warmup = Warmup{Warmup::Unit::kFraction, *fraction};
  }
  if (!warmup) {
    return table.Fail(*node,
                      "warmup must be steps or tokens such as \"64 steps\" or \"32k tokens\", or a "
                      "fraction of the steps from 0 to below 1");
  }
  Set(overrides, warmup, &TrainSettings::warmup);
}

void ReadSchedule(TableReader& reader, TrainOverrides& overrides, SpecErrors& errors) {
  const toml::table* node = reader.Table("schedule");
  TableReader table(node, "schedule of " + reader.where(), errors);
  const auto name = table.Choice("name", {"constant", "wsd", "cosine"});
  constexpr ScheduleKind kKinds[] = {ScheduleKind::kConstant, ScheduleKind::kWsd,
                                     ScheduleKind::kCosine};
  if (name) {
    overrides.push_back([kind = kKinds[*name]](TrainSettings& s) { s.schedule.kind = kind; });
  }
  ReadWarmup(table, overrides);
  const auto cooldown = table.Real("cooldown", 0, 1);
  if (cooldown && name && kKinds[*name] != ScheduleKind::kWsd) {
    table.Fail(*node->get("cooldown"), "cooldown belongs to the schedule \"wsd\"");
  }
  const auto final_fraction = table.Real("final_fraction", 0, 1);
  if (final_fraction && name && kKinds[*name] == ScheduleKind::kConstant) {
    table.Fail(*node->get("final_fraction"), "a constant schedule has no final_fraction");
  }
  const auto set = [&](const std::optional<double>& value, double ScheduleConfig::*member) {
    if (!value) return;
    overrides.push_back([member, v = *value](TrainSettings& s) { s.schedule.*member = v; });
  };
  set(cooldown, &ScheduleConfig::cooldown);
  set(final_fraction, &ScheduleConfig::final_fraction);
  table.Finish();
}

void ReadLearningRate(TableReader& reader, TrainOverrides& overrides, SpecErrors& errors) {
  const toml::node* node = reader.Find("lr");
  if (node == nullptr) return;
  LearningRate rate;
  rate.at = PositionOf(*node);
  if (node->is_array()) {
    return reader.Fail(*node,
                       "a list of learning rates to race is not yet in this version; give one "
                       "number, or a rule { c, n, d }");
  }
  if (const toml::table* rule = node->as_table()) {
    TableReader table(rule, "lr of " + reader.where(), errors);
    const auto c = table.Real("c", 0, kMaxRate, /*open=*/true);
    if (rule->get("c") == nullptr) table.Fail(*node, "lr lacks c: lr = c (N/1e5)^n (D/1e6)^d");
    rate.c = c.value_or(1.0);
    rate.n = table.Real("n", -kMaxRateExponent, kMaxRateExponent).value_or(0.0);
    rate.d = table.Real("d", -kMaxRateExponent, kMaxRateExponent).value_or(0.0);
    table.Finish();
  } else if (node->is_number()) {
    const auto c = reader.Real("lr", 0, kMaxRate, /*open=*/true);
    if (!c) return;
    rate.c = *c;
  } else {
    return reader.Fail(*node, fmt::format("lr is {}, but must be a number or a rule such as "
                                          "{{ c = 4.4e-3, n = -0.45, d = 0.0 }}",
                                          KindOf(*node)));
  }
  overrides.push_back([rate](TrainSettings& s) { s.lr = rate; });
}

void ReadNumerics(TableReader& reader, TrainOverrides& overrides) {
  if (const auto init = reader.Choice("init", {"auto", "gpt2", "width"})) {
    const std::optional<Init> chosen[] = {std::nullopt, Init::kGpt2, Init::kWidth};
    overrides.push_back([v = chosen[*init]](TrainSettings& s) { s.init = v; });
  }
  Set(overrides, reader.Real("dropout", 0, kMaxDropout), &TrainSettings::dropout);
  const toml::node* threads = reader.Find("threads");
  if (IsText(threads, "auto")) {
    overrides.push_back([](TrainSettings& s) { s.threads = std::nullopt; });
  } else if (threads != nullptr && !threads->is_integer()) {
    reader.Fail(*threads, "threads must be a whole number or \"auto\"");
  } else {
    Set(overrides, reader.Whole("threads", 1, kMaxThreads), &TrainSettings::threads);
  }
  if (const auto kernels = reader.Choice("kernels", {"fused", "reference"})) {
    const Kernels chosen[] = {Kernels::kFused, Kernels::kReference};
    overrides.push_back([v = chosen[*kernels]](TrainSettings& s) { s.kernels = v; });
  }
}

}  // namespace

TrainOverrides ReadTrainOverrides(TableReader& reader, SpecErrors& errors) {
  TrainOverrides overrides;
  ReadWindows(reader, overrides);
  ReadOptimizer(reader, overrides, errors);
  ReadSchedule(reader, overrides, errors);
  ReadNumerics(reader, overrides);
  ReadUnique(reader, overrides, errors);
  Set(overrides, reader.Flag("repeat"), &TrainSettings::repeat);
  ReadLearningRate(reader, overrides, errors);
  return overrides;
}

void Apply(const TrainOverrides& overrides, TrainSettings& settings) {
  for (const auto& override : overrides) override(settings);
}

TrainSettings DefaultSettings(Family family, SourcePosition at) {
  TrainSettings settings;
  settings.lr = family == Family::kTransformer ? kTransformerRate : kLstmRate;
  settings.lr.at = settings.context_at = settings.stride_at = settings.unique_at = at;
  return settings;
}

void Settle(TrainSettings& settings, SpecErrors& errors) {
  if (settings.stride && *settings.stride > settings.context) {
    errors.Add(
        settings.stride_at,
        fmt::format("stride is {}, above the context of {}: the tokens between windows would "
                    "never be trained on",
                    *settings.stride, settings.context));
  }
  if (settings.schedule.kind != ScheduleKind::kWsd) settings.schedule.cooldown = 0;
  if (settings.schedule.kind == ScheduleKind::kConstant) settings.schedule.final_fraction = 0;
}

}  // namespace etude
