// The sweep spec: the TOML a user submits (DESIGN.md section 5), read strictly. A spec is data;
// reading one touches no file and needs no corpus, so the same text means the same to the client
// and to the coordinator.
#ifndef ETUDE_LIB_SCALING_SPEC_H_
#define ETUDE_LIB_SCALING_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/scaling/model.h"
#include "lib/scaling/run.h"

namespace etude {

inline constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20;
inline constexpr int kMaxSpecErrors = 20;       // further errors of a file are not reported
inline constexpr int kMaxKeyDots = 16;          // of one dotted key
inline constexpr std::size_t kMaxGrids = 1000;  // [[grid]] tables of a spec, and [[holdout]] tables
inline constexpr std::size_t kMaxValues = 1000;  // values of one list
inline constexpr int kMaxRunsLimit = 10000;      // largest limits.max_runs

// Where something stands in the spec; both from 1. Columns count characters.
struct SourcePosition {
  int line = 1;
  int column = 1;
  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};

// One thing wrong with a spec.
struct SpecDiagnostic {
  std::string file;
  SourcePosition at;
  std::string message;      // what is wrong, with the allowed values or the nearest key
  std::string source_line;  // printable, cut to a window around the column
  int caret = 0;            // characters of source_line before the one meant
  // "file:line:col: message", the source line and a caret below it; no newline at the end.
  std::string Text() const;
  friend bool operator==(const SpecDiagnostic&, const SpecDiagnostic&) = default;
};
// All of them as one kInvalidArgument, with the command that checks the file again.
absl::Status SpecError(std::span<const SpecDiagnostic> errors);

// Peak learning rate c (N/1e5)^n (D/1e6)^d: N the compute count, D the tokens trained on. A plain
// number is c alone.
struct LearningRate {
  double c = 0;
  double n = 0;
  double d = 0;
  SourcePosition at;
};
// Rounded to 6 significant digits unless it is a plain number, so that two machines' pow() give one
// run key.
double PeakLearningRate(const LearningRate& rate, std::int64_t compute_parameters,
                        std::int64_t tokens);

// A warm-up of `value` steps, tokens, or of a fraction (0 to 1) of the run's steps. The last kind
// depends on D and so forbids one trunk for several D.
struct Warmup {
  enum class Unit { kSteps, kTokens, kFraction };
  Unit unit = Unit::kSteps;
  double value = 64;
  friend bool operator==(const Warmup&, const Warmup&) = default;
};

// How the runs of one family in one grid train: [train], then the family's table, then the grid's
// own keys over the defaults below. What depends on the corpus or on D is still open (nullopt).
struct TrainSettings {
  int context = 64;
  std::optional<int> stride;  // nullopt: the context
  int batch = 8;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;  // warmup_steps is not set here
  Warmup warmup;
  std::optional<Init> init;            // nullopt: auto
  std::optional<double> dropout;       // nullopt: 0 while D/U <= 4, else 0.1
  std::optional<std::int64_t> unique;  // nullopt: all
  bool repeat = false;
  std::optional<int> threads = 1;  // nullopt: auto
  Kernels kernels = Kernels::kFused;
  LearningRate lr;
  SourcePosition context_at;  // of the key that set it; of the grid when it is a default
  SourcePosition stride_at;
  SourcePosition unique_at;
};

// What a value of a grid's data axis counts.
enum class AmountKind { kTokens, kEpochs, kTokensPerParam, kFlops };
// "tokens", "epochs", "tokens_per_param", "flops"
std::string_view AmountKindName(AmountKind kind);

struct Amount {
  double value = 0;
  std::string text;  // as written, without quotes
  SourcePosition at;
};

struct GridShape {
  ModelConfig shape;  // family, layers, width and heads only
  SourcePosition at;
};

// One [[grid]] or [[holdout]]: every shape x amount x seed.
struct Grid {
  SourcePosition at;      // of its header
  bool held_out = false;  // a [[holdout]]: its runs are predicted, then trained, and never fitted
  std::vector<GridShape> shapes;
  AmountKind kind = AmountKind::kTokens;
  std::vector<Amount> amounts;
  std::vector<std::uint64_t> seeds;
  TrainSettings transformer;
  TrainSettings lstm;
  const TrainSettings& settings(Family family) const {
    return family == Family::kTransformer ? transformer : lstm;
  }
};

std::string_view TableName(const Grid& grid);  // "[[grid]]" or "[[holdout]]"

struct SweepLimits {
  int max_runs = 500;
  double max_hours = 24.0;  // of worker time
  int max_failed_runs = 5;
  SourcePosition max_runs_at;
};

struct SweepSpec {
  std::string name;    // [A-Za-z0-9._-]{1,64}
  std::string corpus;  // a pushed corpus' name, or a directory
  SourcePosition corpus_at;
  std::vector<Grid> grids;  // the held-out ones last
  RunConfig::Eval eval;
  SweepLimits limits;
  std::string file;  // for messages
  std::string toml;  // the text as it was read
};

// Either a spec, or what is wrong with the text: all of it, up to kMaxSpecErrors, in the order of
// the file.
struct ParseResult {
  std::optional<SweepSpec> spec;
  std::vector<SpecDiagnostic> errors;
};
ParseResult CheckSweepSpec(std::string_view toml, const std::string& file_name);

// The same with the errors as one kInvalidArgument, made by SpecError. `file_name` is only for
// messages.
absl::StatusOr<SweepSpec> ParseSweepSpec(std::string_view toml, const std::string& file_name);

// A diagnostic at `at` of the text of `spec`, for errors that show only against a corpus.
SpecDiagnostic DiagnosticAt(const SweepSpec& spec, SourcePosition at, std::string message);

// True for [A-Za-z0-9._-]{1,64}.
bool IsSweepName(std::string_view name);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_SPEC_H_
