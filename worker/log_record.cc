#include "worker/log_record.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "worker/strict_json.h"

namespace etude {
namespace {

using Json = nlohmann::json;

enum RecordType : char { kPoints = 1, kCheckpoint = 2, kDone = 3, kNumerics = 4 };

constexpr std::size_t kPointBytes = 17;

std::string WithType(RecordType type, const Json& json) {
  return std::string(1, type) + json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ToJson(const RunResult& result) {
  return {{"val_loss", result.val_loss},
          {"best_val_loss", result.best_val_loss},
          {"best_step", result.best_step},
          {"train_eval_loss", result.train_eval_loss},
          {"test_loss", result.test_loss},
          {"train_seconds", result.train_seconds},
          {"eval_seconds", result.eval_seconds},
          {"tokens_per_s", result.tokens_per_s},
          {"device", result.device},
          {"weights_sha256", result.weights_sha256},
          {"mixed_numerics", result.mixed_numerics}};
}

absl::StatusOr<RunResult> ResultFromJson(const Json& json) {
  RunResult result;
  StrictObject object(json, "result");
  object.Read("val_loss", result.val_loss);
  object.Read("best_val_loss", result.best_val_loss);
  object.Read("best_step", result.best_step);
  object.Read("train_eval_loss", result.train_eval_loss);
  object.Read("test_loss", result.test_loss);
  object.Read("train_seconds", result.train_seconds);
  object.Read("eval_seconds", result.eval_seconds);
  object.Read("tokens_per_s", result.tokens_per_s);
  object.Read("device", result.device);
  object.Read("weights_sha256", result.weights_sha256);
  object.Read("mixed_numerics", result.mixed_numerics);
  RETURN_IF_ERROR(object.Done());
  return result;
}

absl::StatusOr<LogRecord> DecodePoints(std::string_view bytes) {
  const std::size_t count = bytes.size() / kPointBytes;
  if (bytes.size() % kPointBytes != 0 || count == 0 || count > kMaxPointsPerRecord) {
    return InvalidArgument("points record of " + std::to_string(bytes.size()) + " bytes");
  }
  PointsRecord record;
  record.points.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const char* from = bytes.data() + i * kPointBytes;
    const std::optional<Series> series = SeriesFromNumber(static_cast<unsigned char>(from[0]));
    LossPoint point;
    std::memcpy(&point.step, from + 1, sizeof(point.step));
    std::memcpy(&point.value, from + 9, sizeof(point.value));
    if (!series || point.step < 0) return InvalidArgument("points record: unknown series or step");
    point.series = *series;
    record.points.push_back(point);
  }
  return record;
}

// Relative, below the attempt's directory, and made of safe names.
bool IsSafeRelativePath(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (!IsSafeFileName(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
  return false;
}

absl::StatusOr<LogRecord> DecodeCheckpoint(const Json& json) {
  CheckpointRecord record;
  std::string kind;
  StrictObject object(json, "checkpoint record");
  object.Read("kind", kind);
  object.Read("step", record.step);
  object.Read("dir", record.dir);
  for (const Json& item : object.Child("files")) {
    ArtifactFile file;
    StrictObject fields(item, "checkpoint record: file");
    fields.Read("name", file.name);
    fields.Read("sha256", file.sha256);
    fields.Read("bytes", file.bytes);
    RETURN_IF_ERROR(fields.Done());
    if (!IsSafeFileName(file.name) || !IsSha256Hex(file.sha256) || file.bytes < 0) {
      return InvalidArgument("checkpoint record: bad file");
    }
    record.files.push_back(std::move(file));
  }
  RETURN_IF_ERROR(object.Done());
  const std::optional<CheckpointKind> known = CheckpointKindFromName(kind);
  if (!known || record.step < 0 || record.files.empty() || !IsSafeRelativePath(record.dir)) {
    return InvalidArgument("checkpoint record: a value out of range");
  }
  record.kind = *known;
  return record;
}

absl::StatusOr<LogRecord> DecodeDone(const Json& json) {
  DoneRecord record;
  std::string outcome;
  StrictObject object(json, "done record");
  object.Read("outcome", outcome);
  object.Read("reason", record.reason);
  object.Read("step", record.step);
  if (object.Has("result")) {
    ASSIGN_OR_RETURN(record.result, ResultFromJson(object.Child("result")));
  }
  RETURN_IF_ERROR(object.Done());
  const std::optional<JobOutcome> known = JobOutcomeFromName(outcome);
  if (!known || record.result.has_value() != (*known == JobOutcome::kSucceeded)) {
    return InvalidArgument("done record: outcome and result do not agree");
  }
  record.outcome = *known;
  return record;
}

}  // namespace

std::string EncodePoints(std::span<const LossPoint> points) {
  std::string payload(1, kPoints);
  payload.reserve(1 + points.size() * kPointBytes);
  for (const LossPoint& point : points) {
    payload += static_cast<char>(point.series);
    payload.append(reinterpret_cast<const char*>(&point.step), sizeof(point.step));
    payload.append(reinterpret_cast<const char*>(&point.value), sizeof(point.value));
  }
  return payload;
}

std::string EncodeRecord(const CheckpointRecord& checkpoint) {
  Json files = Json::array();
  for (const ArtifactFile& file : checkpoint.files) {
    files.push_back({{"name", file.name}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  return WithType(kCheckpoint, {{"kind", CheckpointKindName(checkpoint.kind)},
                                {"step", checkpoint.step},
                                {"dir", checkpoint.dir},
                                {"files", std::move(files)}});
}

std::string EncodeRecord(const DoneRecord& done) {
  Json json = {
      {"outcome", JobOutcomeName(done.outcome)}, {"reason", done.reason}, {"step", done.step}};
  if (done.result) json["result"] = ToJson(*done.result);
  return WithType(kDone, json);
}

std::string EncodeRecord(const NumericsRecord& numerics) {
  return WithType(kNumerics, {{"numerics", numerics.json}});
}

absl::StatusOr<LogRecord> DecodeRecord(std::string_view payload) {
  if (payload.empty()) return InvalidArgument("empty record");
  const char type = payload.front();
  payload.remove_prefix(1);
  if (type == kPoints) return DecodePoints(payload);
  const Json json = Json::parse(payload, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return InvalidArgument("record of type " + std::to_string(type));
  if (type == kCheckpoint) return DecodeCheckpoint(json);
  if (type == kDone) return DecodeDone(json);
  if (type != kNumerics) return InvalidArgument("record of type " + std::to_string(type));
  NumericsRecord numerics;
  StrictObject object(json, "numerics record");
  object.Read("numerics", numerics.json);
  RETURN_IF_ERROR(object.Done());
  return numerics;
}

}  // namespace etude
