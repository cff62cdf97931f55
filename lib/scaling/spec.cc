#include "lib/scaling/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/names.h"
#include "lib/scaling/spec_reader.h"
#include "lib/scaling/spec_syntax.h"
#include "lib/scaling/spec_train.h"

namespace etude {
namespace {

constexpr NameTable<AmountKind, 4> kAmountKinds = {
    {AmountKind::kTokens, "tokens"},
    {AmountKind::kEpochs, "epochs"},
    {AmountKind::kTokensPerParam, "tokens_per_param"},
    {AmountKind::kFlops, "flops"}};

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxCorpusBytes = 4096;
constexpr std::int64_t kMaxSeed = std::int64_t{1} << 53;  // exact in a JSON number anywhere
constexpr std::int64_t kMaxCurvePoints = 1000;
constexpr double kMaxCurveTokens = 1e12;
constexpr double kMaxHours = 1e6;

// What an amount may be, and the unit that may stand behind it.
struct AmountRange {
  double low;
  double high;
  std::string_view unit;
};
AmountRange RangeOf(AmountKind kind) {
  switch (kind) {
    case AmountKind::kTokens:
      return {1, 1e13, "tokens"};
    case AmountKind::kEpochs:
      return {1e-6, 1e6, "epochs"};
    case AmountKind::kTokensPerParam:
      return {1e-3, 1e9, ""};
    case AmountKind::kFlops:
      return {1, 1e26, "FLOP"};
  }
  ENSURE(!"an amount kind");
  return {};
}

std::string AmountText(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  return NumberText(NumberOf(node));
}

void ReadAmounts(TableReader& reader, Grid& grid, SpecErrors& errors) {
  int given = 0;
  for (const auto& [kind, name] : kAmountKinds) {
    const std::string key(name);
    const toml::node* node = reader.Find(key.c_str());
    if (node == nullptr) continue;
    if (++given > 1) {
      reader.Fail(*node, fmt::format("{} beside {}: give exactly one of tokens, epochs, "
                                     "tokens_per_param, flops",
                                     name, AmountKindName(grid.kind)));
      continue;
    }
    grid.kind = kind;
    const toml::array* list = reader.List(key.c_str());
    if (list == nullptr) continue;
    const AmountRange range = RangeOf(kind);
    for (const toml::node& value : *list) {
      const auto amount = ReadQuantity(value, key, range.unit, range.low, range.high, errors);
      if (amount) grid.amounts.push_back({*amount, AmountText(value), PositionOf(value)});
    }
  }
  if (given == 0) {
    errors.Add(grid.at, fmt::format("this {} lacks its amount of data: give exactly one of tokens, "
                                    "epochs, tokens_per_param, flops, such as tokens = [\"300k\"]",
                                    TableName(grid)));
  }
}

void ReadShapes(TableReader& reader, Family family, Grid& grid, SpecErrors& errors) {
  const std::string key(FamilyName(family));
  const toml::array* list = reader.List(key.c_str());
  if (list == nullptr) return;
  for (const toml::node& value : *list) {
    const auto text = value.value_exact<std::string>();
    if (!text) {
      errors.Add(PositionOf(value),
                 fmt::format("a shape is {}, but must be a string such as \"{}\"", KindOf(value),
                             family == Family::kLstm ? "1x24" : "2x32x2"));
      continue;
    }
    std::string why;
    const std::optional<ModelConfig> shape = ParseShape(family, *text, &why);
    if (shape) {
      grid.shapes.push_back({*shape, PositionOf(value)});
    } else {
      errors.Add(PositionOf(value), fmt::format("{} shape \"{}\": {}", key, Printable(*text), why));
    }
  }
}

void ReadSeeds(TableReader& reader, Grid& grid, SpecErrors& errors) {
  if (reader.Find("seeds") == nullptr) {
    grid.seeds = {1};
    return;
  }
  const toml::array* list = reader.List("seeds");
  if (list == nullptr) return;
  for (const toml::node& value : *list) {
    const auto seed = value.value_exact<std::int64_t>();
    if (seed && *seed >= 0 && *seed <= kMaxSeed) {
      grid.seeds.push_back(static_cast<std::uint64_t>(*seed));
    } else {
      errors.Add(PositionOf(value),
                 fmt::format("a seed must be a whole number from 0 to {}", kMaxSeed));
    }
  }
}

// What the tables above the grids set.
struct Layers {
  TrainOverrides train;
  TrainOverrides transformer;
  TrainOverrides lstm;
};

TrainSettings SettingsOf(Family family, const Layers& layers, const TrainOverrides& own,
                         SourcePosition at) {
  TrainSettings settings = DefaultSettings(family, at);
  Apply(layers.train, settings);
  Apply(family == Family::kTransformer ? layers.transformer : layers.lstm, settings);
  Apply(own, settings);
  return settings;
}

Grid ReadGrid(const toml::table& table, bool held_out, const Layers& layers, SpecErrors& errors) {
  Grid grid;
  grid.held_out = held_out;
  TableReader reader(&table, std::string(TableName(grid)), errors);
  grid.at = reader.at();
  const bool has_shapes = table.contains("transformer") || table.contains("lstm");
  if (!has_shapes) {
    errors.Add(grid.at, fmt::format("this {} is empty: give transformer = [\"2x32x2\"] or "
                                    "lstm = [\"1x24\"]",
                                    TableName(grid)));
  }
  ReadShapes(reader, Family::kTransformer, grid, errors);
  ReadShapes(reader, Family::kLstm, grid, errors);
  ReadAmounts(reader, grid, errors);
  ReadSeeds(reader, grid, errors);
  const TrainOverrides own = ReadTrainOverrides(reader, errors);
  grid.transformer = SettingsOf(Family::kTransformer, layers, own, grid.at);
  grid.lstm = SettingsOf(Family::kLstm, layers, own, grid.at);
  if (table.contains("transformer")) Settle(grid.transformer, errors);
  if (table.contains("lstm")) Settle(grid.lstm, errors);
  reader.Finish();
  return grid;
}

// The tables under `key`, "grid" or "holdout".
void ReadTables(TableReader& reader, const char* key, const Layers& layers, SweepSpec& spec,
                SpecErrors& errors) {
  const toml::node* node = reader.Find(key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr || !list->is_homogeneous(toml::node_type::table)) {
    return reader.Fail(*node, fmt::format("{} must be written as tables: [[{}]]", key, key));
  }
  if (list->size() > kMaxGrids) {
    return reader.Fail(*node,
                       fmt::format("{} [[{}]] tables, more than {}", list->size(), key, kMaxGrids));
  }
  const bool held_out = std::string_view(key) == "holdout";
  for (const toml::node& grid : *list) {
    spec.grids.push_back(ReadGrid(*grid.as_table(), held_out, layers, errors));
  }
}

void ReadGrids(TableReader& reader, const Layers& layers, SweepSpec& spec, SpecErrors& errors) {
  if (reader.Find("grid") == nullptr) {
    errors.Add({1, 1}, "the spec lacks a [[grid]]: at least one says which runs there are");
  }
  ReadTables(reader, "grid", layers, spec, errors);
  ReadTables(reader, "holdout", layers, spec, errors);
}

void ReadEval(TableReader& reader, SweepSpec& spec, SpecErrors& errors) {
  TableReader table(reader.Table("eval"), "[eval]", errors);
  TableReader curve(table.Table("curve"), "curve of [eval]", errors);
  if (const auto points = curve.Whole("points", 1, kMaxCurvePoints)) {
    spec.eval.curve_points = static_cast<int>(*points);
  }
  if (const toml::node* node = curve.Find("tokens")) {
    const auto tokens = ReadQuantity(*node, "tokens", "tokens", 1, kMaxCurveTokens, errors);
    if (tokens) spec.eval.curve_tokens = std::llround(*tokens);
  }
  curve.Finish();
  table.Finish();
}

void ReadLimits(TableReader& reader, SweepSpec& spec, SpecErrors& errors) {
  TableReader table(reader.Table("limits"), "[limits]", errors);
  if (const toml::node* node = table.Find("max_runs")) spec.limits.max_runs_at = PositionOf(*node);
  if (const auto runs = table.Whole("max_runs", 1, kMaxRunsLimit)) {
    spec.limits.max_runs = static_cast<int>(*runs);
  }
  spec.limits.max_hours = table.Real("max_hours", 0, kMaxHours, true).value_or(24.0);
  if (const auto failed = table.Whole("max_failed_runs", 0, kMaxRunsLimit)) {
    spec.limits.max_failed_runs = static_cast<int>(*failed);
  }
  table.Finish();
}

void ReadNames(TableReader& reader, SweepSpec& spec, SpecErrors& errors) {
  const toml::node* name = reader.Find("name");
  const toml::node* corpus = reader.Find("corpus");
  if (name == nullptr) errors.Add({1, 1}, "the spec lacks a name: write name = \"my-sweep\"");
  if (corpus == nullptr) {
    errors.Add({1, 1},
               "the spec lacks a corpus: write corpus = \"folk\", a pushed corpus' name or "
               "a directory");
  }
  spec.name = reader.Text("name").value_or("");
  if (name != nullptr && name->is_string() && !IsSweepName(spec.name)) {
    reader.Fail(*name,
                fmt::format("name \"{}\" must be 1 to {} of the characters A-Z a-z 0-9 . _ -",
                            Printable(spec.name), kMaxNameBytes));
  }
  spec.corpus = reader.Text("corpus").value_or("");
  if (corpus == nullptr) return;
  spec.corpus_at = PositionOf(*corpus);
  if (corpus->is_string() && (spec.corpus.empty() || spec.corpus.size() > kMaxCorpusBytes ||
                              Printable(spec.corpus, kMaxCorpusBytes) != spec.corpus)) {
    reader.Fail(*corpus, "corpus must be a pushed corpus' name or a directory");
  }
}

SweepSpec ReadSpec(const toml::table& root, SpecErrors& errors) {
  TableReader reader(&root, "the spec", errors);
  SweepSpec spec;
  ReadNames(reader, spec, errors);
  Layers layers;
  const auto read_layer = [&](const char* key) {
    TableReader table(reader.Table(key), fmt::format("[{}]", key), errors);
    TrainOverrides overrides = ReadTrainOverrides(table, errors);
    table.Finish();
    return overrides;
  };
  layers.train = read_layer("train");
  layers.transformer = read_layer("transformer");
  layers.lstm = read_layer("lstm");
  ReadEval(reader, spec, errors);
  ReadLimits(reader, spec, errors);
  ReadGrids(reader, layers, spec, errors);
  reader.NotYet("samples", "leave the table out");
  reader.NotYet("design", "write the runs as [[grid]] tables");
  reader.Finish();
  return spec;
}

}  // namespace

std::string SpecDiagnostic::Text() const {
  return fmt::format("{}:{}:{}: {}\n  {}\n  {:>{}}", file, at.line, at.column, message, source_line,
                     "^", caret + 1);
}

absl::Status SpecError(std::span<const SpecDiagnostic> errors) {
  ENSURE(!errors.empty());
  std::string text;
  for (const SpecDiagnostic& error : errors) text += error.Text() + "\n";
  text += fmt::format("{} {}; nothing was submitted. Correct the spec, then: etude plan {}",
                      errors.size(), errors.size() == 1 ? "error" : "errors", errors[0].file);
  return InvalidArgument(text);
}

double PeakLearningRate(const LearningRate& rate, std::int64_t compute_parameters,
                        std::int64_t tokens) {
  if (rate.n == 0 && rate.d == 0) return rate.c;
  const double lr = rate.c * std::pow(static_cast<double>(compute_parameters) / 1e5, rate.n) *
                    std::pow(static_cast<double>(tokens) / 1e6, rate.d);
  return std::strtod(fmt::format("{:.5e}", lr).c_str(), nullptr);
}

std::string_view TableName(const Grid& grid) { return grid.held_out ? "[[holdout]]" : "[[grid]]"; }

std::string_view AmountKindName(AmountKind kind) { return NameIn(kAmountKinds, kind); }

ParseResult CheckSweepSpec(std::string_view toml, const std::string& file_name) {
  ParseResult result;
  SpecErrors errors(toml, Printable(file_name, kMaxCorpusBytes));
  const std::optional<toml::table> root = ParseToml(toml, errors);
  if (root) {
    SweepSpec spec = ReadSpec(*root, errors);
    spec.file = Printable(file_name, kMaxCorpusBytes);
    spec.toml = std::string(toml);
    if (errors.empty()) result.spec = std::move(spec);
  }
  result.errors = errors.Take();
  return result;
}

absl::StatusOr<SweepSpec> ParseSweepSpec(std::string_view toml, const std::string& file_name) {
  ParseResult result = CheckSweepSpec(toml, file_name);
  if (!result.spec) return SpecError(result.errors);
  return *std::move(result.spec);
}

SpecDiagnostic DiagnosticAt(const SweepSpec& spec, SourcePosition at, std::string message) {
  return MakeDiagnostic(spec.toml, spec.file, at, std::move(message));
}

bool IsSweepName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

}  // namespace etude
