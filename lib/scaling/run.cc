#include "lib/scaling/run.h"

#include <cmath>
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

Json ModelJson(const ModelConfig& model) {
  return {{"family", FamilyName(model.family)},
          {"layers", model.layers},
          {"width", model.width},
          {"heads", model.heads},
          {"vocab", model.vocab},
          {"context", model.context},
          {"dropout", model.dropout},
          {"init", InitName(model.init)}};
}

Json ConfigJson(const RunConfig& c) {
  return {{"model", ModelJson(c.model)},
          {"corpus", c.corpus.text()},
          {"steps", c.steps},
          {"batch", c.batch},
          {"stride", c.stride},
          {"unique_tokens", c.unique_tokens},
          {"train_tokens", c.train_tokens},
          {"seed", c.seed},
          {"lr", c.lr},
          {"optimizer",
           {{"name", "adamw"},
            {"beta1", c.optimizer.beta1},
            {"beta2", c.optimizer.beta2},
            {"epsilon", c.optimizer.epsilon},
            {"weight_decay", c.optimizer.weight_decay},
            {"clip", c.optimizer.clip}}},
          {"schedule",
           {{"name", ScheduleName(c.schedule.kind)},
            {"warmup_steps", c.schedule.warmup_steps},
            {"cooldown", c.schedule.cooldown},
            {"final_fraction", c.schedule.final_fraction}}},
          {"kernels", KernelsName(c.kernels)},
          {"threads", c.threads},
          {"eval", {{"curve_points", c.eval.curve_points}, {"curve_tokens", c.eval.curve_tokens}}}};
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

std::string RunConfigToJson(const RunConfig& config) { return ConfigJson(config).dump(); }

absl::StatusOr<RunConfig> RunConfigFromJson(std::string_view json) {
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

RunKey KeyOf(const RunConfig& config) {
  Json identity = ConfigJson(config);
  identity.erase("eval");
  identity["numerics"] = kNumericsVersion;
  return RunKey(Sha256Hex(identity.dump()));
}

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
