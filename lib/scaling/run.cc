#include "lib/scaling/run.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/names.h"

namespace etude {
namespace {

using Json = nlohmann::json;  // object keys come out sorted

constexpr NameTable<ScheduleKind, 3> kSchedules = {{ScheduleKind::kConstant, "constant"},
                                                   {ScheduleKind::kWsd, "wsd"},
                                                   {ScheduleKind::kCosine, "cosine"}};
constexpr NameTable<Kernels, 2> kKernels = {{Kernels::kFused, "fused"},
                                            {Kernels::kReference, "reference"}};
constexpr NameTable<RunState, 5> kRunStates = {{RunState::kQueued, "queued"},
                                               {RunState::kRunning, "running"},
                                               {RunState::kSucceeded, "succeeded"},
                                               {RunState::kFailed, "failed"},
                                               {RunState::kCancelled, "cancelled"}};

// Members of one JSON object in the order of its keys, which the caller keeps. Numbers look as
// nlohmann writes them: run keys were made from that text.
class ObjectWriter {
 public:
  ObjectWriter() { text_.reserve(kUsualBytes); }

  ObjectWriter& Add(const char* key, double value) {
    Key(key);
    if (!std::isfinite(value)) return Append("null");
    char number[64];
    return Append({number, nlohmann::detail::to_chars(number, number + sizeof(number), value)});
  }
  template <std::integral Integer>
  ObjectWriter& Add(const char* key, Integer value) {
    Key(key);
    char number[32];
    return Append({number, std::to_chars(number, number + sizeof(number), value).ptr});
  }
  // Text of letters, digits and . _ - alone is its own JSON.
  ObjectWriter& Add(const char* key, std::string_view text) {
    Key(key);
    const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    return plain ? Append("\"").Append(text).Append("\"") : Append(Json(text).dump());
  }
  ObjectWriter& Open(const char* key) {
    Key(key);
    return Append("{");
  }
  ObjectWriter& Close() { return Append("}"); }
  std::string Take() { return "{" + text_ + "}"; }

 private:
  static constexpr std::size_t kUsualBytes = 1024;
  void Key(const char* key) {
    if (!text_.empty() && text_.back() != '{') text_ += ',';
    text_.append("\"").append(key).append("\":");
  }
  ObjectWriter& Append(std::string_view text) {
    text_ += text;
    return *this;
  }
  std::string text_;
};

void WriteModel(const ModelConfig& model, ObjectWriter& out) {
  out.Open("model")
      .Add("context", model.context)
      .Add("dropout", model.dropout)
      .Add("family", FamilyName(model.family))
      .Add("heads", model.heads)
      .Add("init", InitName(model.init))
      .Add("layers", model.layers)
      .Add("vocab", model.vocab)
      .Add("width", model.width)
      .Close();
}

void WriteOptimizer(const OptimizerConfig& optimizer, ObjectWriter& out) {
  out.Open("optimizer")
      .Add("beta1", optimizer.beta1)
      .Add("beta2", optimizer.beta2)
      .Add("clip", optimizer.clip)
      .Add("epsilon", optimizer.epsilon)
      .Add("name", std::string_view("adamw"))
      .Add("weight_decay", optimizer.weight_decay)
      .Close();
}

void WriteSchedule(const ScheduleConfig& schedule, ObjectWriter& out) {
  out.Open("schedule")
      .Add("cooldown", schedule.cooldown)
      .Add("final_fraction", schedule.final_fraction)
      .Add("name", ScheduleName(schedule.kind))
      .Add("warmup_steps", schedule.warmup_steps)
      .Close();
}

// `identity`: what the key is made from, without `eval` and with the version of the numerics.
std::string WriteConfig(const RunConfig& c, bool identity) {
  ObjectWriter out;
  out.Add("batch", c.batch).Add("corpus", std::string_view(c.corpus.text()));
  if (!identity) {
    out.Open("eval")
        .Add("curve_points", c.eval.curve_points)
        .Add("curve_tokens", c.eval.curve_tokens)
        .Close();
  }
  out.Add("kernels", KernelsName(c.kernels)).Add("lr", c.lr);
  WriteModel(c.model, out);
  if (identity) out.Add("numerics", kNumericsVersion);
  WriteOptimizer(c.optimizer, out);
  WriteSchedule(c.schedule, out);
  out.Add("seed", c.seed)
      .Add("steps", c.steps)
      .Add("stride", c.stride)
      .Add("threads", c.threads)
      .Add("train_tokens", c.train_tokens)
      .Add("unique_tokens", c.unique_tokens);
  return out.Take();
}

// Reads the members of one JSON object: each must be there, of its type and in its range, and none
// may be left over.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) Fail("is not an object");
  }

  template <typename Integer>
  void Whole(const char* key, Integer& target, std::int64_t low, std::int64_t high) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_number_integer() ||
        (value->is_number_unsigned() &&
         value->get<std::uint64_t>() > static_cast<std::uint64_t>(high)) ||
        value->get<std::int64_t>() < low || value->get<std::int64_t>() > high) {
      return Fail(std::string(key) + " must be a whole number from " + std::to_string(low) +
                  " to " + std::to_string(high));
    }
    target = static_cast<Integer>(value->get<std::int64_t>());
  }
  void Real(const char* key, double& target, double low, double high) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high)) {
      return Fail(std::string(key) + " must be a number from " + std::to_string(low) + " to " +
                  std::to_string(high));
    }
    target = value->get<double>();
  }
  void Text(const char* key, std::string& target) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(std::string(key) + " must be a string");
    target = value->get<std::string>();
  }
  template <typename Enum>
  void Name(const char* key, Enum& target, std::optional<Enum> (*from_name)(std::string_view)) {
    std::string name;
    Text(key, name);
    if (!status_.ok()) return;
    const std::optional<Enum> value = from_name(name);
    if (!value) return Fail(std::string(key) + " \"" + name + "\" is not known");
    target = *value;
  }
  const Json& Child(const char* key) {
    static const Json kNothing;
    const Json* value = Find(key);
    return value == nullptr ? kNothing : *value;
  }
  absl::Status Finish() {
    if (status_.ok() && object_.size() != seen_) Fail("has a key that this version does not know");
    return status_;
  }

 private:
  const Json* Find(const char* key) {
    if (!status_.ok()) return nullptr;
    const auto found = object_.find(key);
    if (found == object_.end()) {
      Fail(std::string("lacks ") + key);
      return nullptr;
    }
    ++seen_;
    return &*found;
  }
  void Fail(const std::string& what) {
    if (status_.ok()) status_ = InvalidArgument("run config: " + where_ + " " + what);
  }

  const Json& object_;
  std::string where_;
  std::size_t seen_ = 0;
  absl::Status status_;
};

constexpr std::int64_t kMaxCount = std::int64_t{1} << 53;  // exact in a JSON number anywhere

template <typename Number>
bool IsWithin(Number value, double low, double high) {
  return static_cast<double>(value) >= low && static_cast<double>(value) <= high;
}

// The ranges that the readers below name one by one.
bool IsInRange(const RunConfig& c) {
  const auto count = static_cast<double>(kMaxCount);
  const ModelConfig& m = c.model;
  const bool heads = m.family == Family::kTransformer
                         ? m.heads >= 1 && m.heads <= (1 << 12) && m.width % m.heads == 0
                         : m.heads == 0;
  return heads && IsWithin(m.layers, 1, 1 << 10) && IsWithin(m.width, 1, 1 << 16) &&
         IsWithin(m.vocab, 1, 1 << 16) && IsWithin(m.context, 1, 1 << 16) &&
         IsWithin(m.dropout, 0, 0.95) && IsWithin(c.optimizer.beta1, 0, 1) &&
         IsWithin(c.optimizer.beta2, 0, 1) && IsWithin(c.optimizer.epsilon, 0, 1) &&
         IsWithin(c.optimizer.weight_decay, 0, 10) && IsWithin(c.optimizer.clip, 0, 1e9) &&
         IsWithin(c.schedule.warmup_steps, 0, count) && IsWithin(c.schedule.cooldown, 0, 1) &&
         IsWithin(c.schedule.final_fraction, 0, 1) && IsWithin(c.eval.curve_points, 0, 100000) &&
         IsWithin(c.eval.curve_tokens, 0, count) && IsWithin(c.steps, 1, count) &&
         IsWithin(c.batch, 1, 1 << 20) && IsWithin(c.stride, 1, 1 << 20) &&
         IsWithin(c.unique_tokens, 1, count) && IsWithin(c.train_tokens, 1, count) &&
         IsWithin(c.seed, 0, count) && IsWithin(c.lr, 0, 1e6) && IsWithin(c.threads, 1, 1024);
}

absl::Status ReadModel(const Json& json, ModelConfig& model) {
  ObjectReader reader(json, "model");
  reader.Name<Family>("family", model.family, FamilyFromName);
  reader.Whole("layers", model.layers, 1, 1 << 10);
  reader.Whole("width", model.width, 1, 1 << 16);
  reader.Whole("heads", model.heads, 0, 1 << 12);
  reader.Whole("vocab", model.vocab, 1, 1 << 16);
  reader.Whole("context", model.context, 1, 1 << 16);
  reader.Real("dropout", model.dropout, 0.0, 0.95);
  reader.Name<Init>("init", model.init, InitFromName);
  RETURN_IF_ERROR(reader.Finish());
  const bool transformer = model.family == Family::kTransformer;
  if (transformer ? (model.heads < 1 || model.width % model.heads != 0) : model.heads != 0) {
    return InvalidArgument("run config: model heads do not divide its width");
  }
  return absl::OkStatus();
}

absl::Status ReadOptimizer(const Json& json, OptimizerConfig& optimizer) {
  ObjectReader reader(json, "optimizer");
  std::string name;
  reader.Text("name", name);
  reader.Real("beta1", optimizer.beta1, 0.0, 1.0);
  reader.Real("beta2", optimizer.beta2, 0.0, 1.0);
  reader.Real("epsilon", optimizer.epsilon, 0.0, 1.0);
  reader.Real("weight_decay", optimizer.weight_decay, 0.0, 10.0);
  reader.Real("clip", optimizer.clip, 0.0, 1e9);
  RETURN_IF_ERROR(reader.Finish());
  if (name != "adamw")
    return InvalidArgument("run config: optimizer \"" + name + "\" is not known");
  return absl::OkStatus();
}

absl::Status ReadSchedule(const Json& json, ScheduleConfig& schedule) {
  ObjectReader reader(json, "schedule");
  reader.Name<ScheduleKind>("name", schedule.kind, ScheduleFromName);
  reader.Whole("warmup_steps", schedule.warmup_steps, 0, kMaxCount);
  reader.Real("cooldown", schedule.cooldown, 0.0, 1.0);
  reader.Real("final_fraction", schedule.final_fraction, 0.0, 1.0);
  return reader.Finish();
}

absl::Status ReadEval(const Json& json, RunConfig::Eval& eval) {
  ObjectReader reader(json, "eval");
  reader.Whole("curve_points", eval.curve_points, 0, 100000);
  reader.Whole("curve_tokens", eval.curve_tokens, 0, kMaxCount);
  return reader.Finish();
}

}  // namespace

std::string_view ScheduleName(ScheduleKind kind) { return NameIn(kSchedules, kind); }
std::optional<ScheduleKind> ScheduleFromName(std::string_view name) {
  return ValueIn(kSchedules, name);
}
std::string_view KernelsName(Kernels kernels) { return NameIn(kKernels, kernels); }
std::optional<Kernels> KernelsFromName(std::string_view name) { return ValueIn(kKernels, name); }
std::string_view RunStateName(RunState state) { return NameIn(kRunStates, state); }
std::optional<RunState> RunStateFromName(std::string_view name) {
  return ValueIn(kRunStates, name);
}
bool IsTerminal(RunState state) {
  return state != RunState::kQueued && state != RunState::kRunning;
}

std::string RunConfigToJson(const RunConfig& config) { return WriteConfig(config, false); }

namespace {

// Reads the very text that WriteConfig writes, without a tree. It only ever says yes to that text:
// everything else is judged, and explained, by the whole parser.
class CanonicalReader {
 public:
  explicit CanonicalReader(std::string_view text) : rest_(text) {}

  CanonicalReader& Skip(std::string_view expected) {
    fits_ = fits_ && rest_.starts_with(expected);
    if (fits_) rest_.remove_prefix(expected.size());
    return *this;
  }
  template <typename Number>
  requires std::is_arithmetic_v<Number> CanonicalReader& Read(std::string_view before,
                                                              Number& target) {
    Skip(before);
    if (!fits_) return *this;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), target);
    fits_ = error == std::errc();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return *this;
  }
  CanonicalReader& Read(std::string_view before, std::string_view& target) {
    Skip(before).Skip("\"");
    const std::size_t end = rest_.find('"');
    fits_ = fits_ && end != std::string_view::npos;
    if (!fits_) return *this;
    target = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return Skip("\"");
  }
  template <typename Enum>
  CanonicalReader& Read(std::string_view before, Enum& target,
                        std::optional<Enum> (*from_name)(std::string_view)) {
    std::string_view name;
    Read(before, name);
    const std::optional<Enum> value = fits_ ? from_name(name) : std::nullopt;
    fits_ = value.has_value();
    if (fits_) target = *value;
    return *this;
  }
  bool AtEnd() const { return fits_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool fits_ = true;
};

bool ReadCanonical(std::string_view json, RunConfig& c) {
  CanonicalReader reader(json);
  std::string_view corpus;
  reader.Read("{\"batch\":", c.batch)
      .Read(",\"corpus\":", corpus)
      .Read(",\"eval\":{\"curve_points\":", c.eval.curve_points)
      .Read(",\"curve_tokens\":", c.eval.curve_tokens)
      .Read<Kernels>("},\"kernels\":", c.kernels, KernelsFromName)
      .Read(",\"lr\":", c.lr)
      .Read(",\"model\":{\"context\":", c.model.context)
      .Read(",\"dropout\":", c.model.dropout)
      .Read<Family>(",\"family\":", c.model.family, FamilyFromName)
      .Read(",\"heads\":", c.model.heads)
      .Read<Init>(",\"init\":", c.model.init, InitFromName)
      .Read(",\"layers\":", c.model.layers)
      .Read(",\"vocab\":", c.model.vocab)
      .Read(",\"width\":", c.model.width)
      .Read("},\"optimizer\":{\"beta1\":", c.optimizer.beta1)
      .Read(",\"beta2\":", c.optimizer.beta2)
      .Read(",\"clip\":", c.optimizer.clip)
      .Read(",\"epsilon\":", c.optimizer.epsilon)
      .Read(",\"name\":\"adamw\",\"weight_decay\":", c.optimizer.weight_decay)
      .Read("},\"schedule\":{\"cooldown\":", c.schedule.cooldown)
      .Read(",\"final_fraction\":", c.schedule.final_fraction)
      .Read<ScheduleKind>(",\"name\":", c.schedule.kind, ScheduleFromName)
      .Read(",\"warmup_steps\":", c.schedule.warmup_steps)
      .Read("},\"seed\":", c.seed)
      .Read(",\"steps\":", c.steps)
      .Read(",\"stride\":", c.stride)
      .Read(",\"threads\":", c.threads)
      .Read(",\"train_tokens\":", c.train_tokens)
      .Read(",\"unique_tokens\":", c.unique_tokens)
      .Skip("}");
  if (!reader.AtEnd()) return false;
  c.corpus = CorpusId(std::string(corpus));
  return IsInRange(c) && RunConfigToJson(c) == json;
}

}  // namespace

absl::StatusOr<RunConfig> RunConfigFromJson(std::string_view json) {
  if (RunConfig canonical; ReadCanonical(json, canonical)) return canonical;
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return InvalidArgument("run config: it is not JSON");
  RunConfig c;
  std::string corpus;
  ObjectReader reader(parsed, "the top level");
  const Json& model = reader.Child("model");
  const Json& optimizer = reader.Child("optimizer");
  const Json& schedule = reader.Child("schedule");
  const Json& eval = reader.Child("eval");
  reader.Text("corpus", corpus);
  reader.Whole("steps", c.steps, 1, kMaxCount);
  reader.Whole("batch", c.batch, 1, 1 << 20);
  reader.Whole("stride", c.stride, 1, 1 << 20);
  reader.Whole("unique_tokens", c.unique_tokens, 1, kMaxCount);
  reader.Whole("train_tokens", c.train_tokens, 1, kMaxCount);
  reader.Whole("seed", c.seed, 0, kMaxCount);
  reader.Real("lr", c.lr, 0.0, 1e6);
  reader.Name<Kernels>("kernels", c.kernels, KernelsFromName);
  reader.Whole("threads", c.threads, 1, 1024);
  RETURN_IF_ERROR(reader.Finish());
  RETURN_IF_ERROR(ReadModel(model, c.model));
  RETURN_IF_ERROR(ReadOptimizer(optimizer, c.optimizer));
  RETURN_IF_ERROR(ReadSchedule(schedule, c.schedule));
  RETURN_IF_ERROR(ReadEval(eval, c.eval));
  c.corpus = CorpusId(corpus);
  return c;
}

RunKey KeyOf(const RunConfig& config) { return RunKey(Sha256Hex(WriteConfig(config, true))); }

std::vector<std::int64_t> ProbeSteps(const RunConfig& config) {
  std::vector<std::int64_t> steps;
  const int points = config.eval.curve_points;
  for (int i = 1; i <= points; ++i) {
    // Step steps^(i/points): from a few updates to the last one, evenly in log step.
    const double exponent = static_cast<double>(i) / points;
    std::int64_t step = std::llround(std::pow(static_cast<double>(config.steps), exponent));
    if (i == points) step = config.steps;
    if (steps.empty() || step > steps.back()) steps.push_back(step);
  }
  return steps;
}

}  // namespace etude
