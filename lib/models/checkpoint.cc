#include "lib/models/checkpoint.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kResumePointsKept = 2;
constexpr std::int64_t kMaxConfigBytes = std::int64_t{1} << 20;
constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kBranchPrefix = "branch-";

std::string StepName(std::string_view prefix, std::int64_t step) {
  std::string digits = std::to_string(step);
  if (digits.size() < 8) digits.insert(0, 8 - digits.size(), '0');
  return std::string(prefix) + digits;
}

std::string DirectoryName(CheckpointKind kind, std::int64_t step) {
  switch (kind) {
    case CheckpointKind::kResume:
      return StepName(kStepPrefix, step);
    case CheckpointKind::kBranch:
      return StepName(kBranchPrefix, step);
    case CheckpointKind::kLast:
      return "last";
    case CheckpointKind::kBest:
      return "best";
  }
  ENSURE(false);
}

absl::Status RemoveTree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? FromErrno(error.value(), "remove " + path.string()) : absl::OkStatus();
}

// Puts `from` where `to` is. An existing `to` changes places with it first, so that no moment is
// without either.
absl::Status MoveIntoPlace(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  if (errno != ENOTEMPTY && errno != EEXIST) return FromErrno(errno, "rename " + from.string());
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    return RemoveTree(from);
  }
  if (errno != EINVAL && errno != ENOSYS) return FromErrno(errno, "exchange " + from.string());
  // A file system that cannot exchange: the old one goes first.
  RETURN_IF_ERROR(RemoveTree(to));
  if (rename(from.c_str(), to.c_str()) != 0) return FromErrno(errno, "rename " + from.string());
  return absl::OkStatus();
}

// Shortest text that reads back as the same double.
std::string Exact(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return std::string(text, end);
}

absl::Status DamagedProgress(const std::string& key) {
  return DataLoss(std::string(kOptimizerFile) + ": metadata '" + key +
                  "' is missing or no number; resume from an older checkpoint");
}

template <typename Number>
absl::Status ReadNumber(const SafetensorsMetadata& metadata, const std::string& key,
                        Number& value) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return DamagedProgress(key);
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return DamagedProgress(key);
  return absl::OkStatus();
}

}  // namespace

std::string EncodeCheckpointConfig(const CheckpointConfig& config) {
  const Json json = {{"format_version", "1.0"},
                     {"config", Json::parse(RunConfigToJson(config.run))},
                     {"corpus", config.run.corpus.text()},
                     {"vocab_sha256", config.vocab_sha256},
                     {"numerics", Json::parse(config.numerics)},
                     {"step", config.step}};
  return json.dump(2) + "\n";
}

absl::StatusOr<CheckpointConfig> DecodeCheckpointConfig(const std::string& text) {
  const absl::Status damaged =
      DataLoss(std::string(kConfigFile) + " of the checkpoint is damaged; resume from another one");
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("config") || !json.contains("numerics") ||
      !json.contains("vocab_sha256") || !json["vocab_sha256"].is_string() ||
      !json.contains("step") || !json["step"].is_number_integer()) {
    return damaged;
  }
  absl::StatusOr<RunConfig> run = RunConfigFromJson(json["config"].dump());
  if (!run.ok()) return DataLoss(std::string(kConfigFile) + ": " + MessageOf(run.status()));
  return CheckpointConfig{*std::move(run), json["numerics"].dump(),
                          json["vocab_sha256"].get<std::string>(),
                          json["step"].get<std::int64_t>()};
}

SafetensorsMetadata EncodeProgress(const Progress& progress) {
  return {{"format", "pt"},
          {"step", std::to_string(progress.step)},
          {"train_seconds", Exact(progress.train_seconds)},
          {"eval_seconds", Exact(progress.eval_seconds)},
          {"best_step", std::to_string(progress.best_step)},
          {"best_val_loss", Exact(progress.best_val_loss)},
          {"mixed_numerics", progress.mixed_numerics ? "1" : "0"}};
}

absl::StatusOr<Progress> DecodeProgress(const SafetensorsMetadata& metadata) {
  Progress progress;
  int mixed = 0;
  RETURN_IF_ERROR(ReadNumber(metadata, "step", progress.step));
  RETURN_IF_ERROR(ReadNumber(metadata, "train_seconds", progress.train_seconds));
  RETURN_IF_ERROR(ReadNumber(metadata, "eval_seconds", progress.eval_seconds));
  RETURN_IF_ERROR(ReadNumber(metadata, "best_step", progress.best_step));
  RETURN_IF_ERROR(ReadNumber(metadata, "best_val_loss", progress.best_val_loss));
  RETURN_IF_ERROR(ReadNumber(metadata, "mixed_numerics", mixed));
  progress.mixed_numerics = mixed != 0;
  return progress;
}

absl::StatusOr<WrittenCheckpoint> CheckpointWriter::Write(
    CheckpointKind kind, std::int64_t step, const std::vector<CheckpointFile>& files) {
  const fs::path root = fs::path(attempt_dir_) / "checkpoints";
  const std::string name = DirectoryName(kind, step);
  const fs::path temporary = root / ("." + name + ".tmp");
  WrittenCheckpoint written{.kind = kind, .step = step, .dir = "checkpoints/" + name, .files = {}};
  RETURN_IF_ERROR(RemoveTree(temporary));
  RETURN_IF_ERROR(MakeDirectories(temporary.string()));
  for (const CheckpointFile& file : files) {
    RETURN_IF_ERROR(WriteFileAtomically((temporary / file.name).string(), file.bytes));
    written.files.push_back({.name = file.name,
                             .sha256 = Sha256Hex(file.bytes),
                             .bytes = static_cast<std::int64_t>(file.bytes.size())});
  }
  RETURN_IF_ERROR(MoveIntoPlace(temporary, root / name));
  RETURN_IF_ERROR(SyncDirectory(root.string()));
  if (kind == CheckpointKind::kResume) RETURN_IF_ERROR(RemoveOldResumePoints());
  return written;
}

absl::Status CheckpointWriter::RemoveOldResumePoints() {
  std::vector<fs::path> points;
  std::error_code error;
  fs::directory_iterator entries(fs::path(attempt_dir_) / "checkpoints", error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (entries->path().filename().string().starts_with(kStepPrefix))
      points.push_back(entries->path());
  }
  if (error) return FromErrno(error.value(), "list " + attempt_dir_ + "/checkpoints");
  std::sort(points.begin(), points.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return std::pair(x.size(), x) < std::pair(y.size(), y);
  });
  for (std::size_t i = 0; i + kResumePointsKept < points.size(); ++i) {
    RETURN_IF_ERROR(RemoveTree(points[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ResumePoint>> ReadResumePoint(const std::string& dir) {
  auto point = std::make_unique<ResumePoint>();
  ASSIGN_OR_RETURN(const std::string config, ReadFile(dir + "/" + kConfigFile, kMaxConfigBytes));
  ASSIGN_OR_RETURN(point->config, DecodeCheckpointConfig(config));
  ASSIGN_OR_RETURN(point->model_bytes, ReadFile(dir + "/" + kModelFile));
  ASSIGN_OR_RETURN(point->model, DecodeSafetensors(point->model_bytes));
  ASSIGN_OR_RETURN(point->optimizer_bytes, ReadFile(dir + "/" + kOptimizerFile));
  ASSIGN_OR_RETURN(point->optimizer, DecodeSafetensors(point->optimizer_bytes));
  ASSIGN_OR_RETURN(point->progress, DecodeProgress(point->optimizer.metadata));
  if (FileExists(dir + "/" + kBestFile)) {
    ASSIGN_OR_RETURN(point->best_bytes, ReadFile(dir + "/" + kBestFile));
    ASSIGN_OR_RETURN(point->best, DecodeSafetensors(point->best_bytes));
  }
  return point;
}

absl::StatusOr<std::unique_ptr<SavedWeights>> ReadWeights(const std::string& dir) {
  auto saved = std::make_unique<SavedWeights>();
  ASSIGN_OR_RETURN(const std::string config, ReadFile(dir + "/" + kConfigFile, kMaxConfigBytes));
  ASSIGN_OR_RETURN(saved->config, DecodeCheckpointConfig(config));
  ASSIGN_OR_RETURN(saved->bytes, ReadFile(dir + "/" + kModelFile));
  ASSIGN_OR_RETURN(saved->model, DecodeSafetensors(saved->bytes));
  return saved;
}

}  // namespace etude
