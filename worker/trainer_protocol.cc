#include "worker/trainer_protocol.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/scaling/names.h"
#include "worker/strict_json.h"

namespace etude {
namespace {

using Json = nlohmann::json;

constexpr NameTable<StopKind, 3> kStopKinds = {{StopKind::kCheckpoint, "checkpoint"},
                                               {StopKind::kRelease, "release"},
                                               {StopKind::kCancel, "cancel"}};
constexpr int kLargestStatusCode = 16;

Json ToJson(const JobMessage& m) {
  return {{"job",
           {{"job", m.job.text()},
            {"attempt", m.attempt},
            {"config", m.config_json},
            {"to", m.to},
            {"corpus_dir", m.corpus_dir},
            {"attempt_dir", m.attempt_dir},
            {"resume_dir", m.resume_dir},
            {"start_step", m.start_step},
            {"checkpoint_every_ms", absl::ToInt64Milliseconds(m.checkpoint_every)},
            {"branch_steps", m.branch_steps}}}};
}
Json ToJson(const StopMessage& m) { return {{"stop", {{"kind", NameIn(kStopKinds, m.kind)}}}}; }
Json ToJson(const ExitMessage&) { return {{"exit", Json::object()}}; }
Json ToJson(const ReadyMessage& m) {
  return {{"ready", {{"protocol", m.protocol}, {"device", m.device}, {"numerics", m.numerics}}}};
}
Json ToJson(const DoneMessage& m) {
  return {{"done",
           {{"job", m.job.text()},
            {"attempt", m.attempt},
            {"outcome", m.outcome ? std::string(JobOutcomeName(*m.outcome)) : ""},
            {"code", static_cast<int>(m.code)},
            {"error", m.error}}}};
}

template <typename Message>
std::string EncodeLine(const Message& message) {
  const Json json = std::visit([](const auto& m) { return ToJson(m); }, message);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<AgentMessage> JobFrom(const Json& json) {
  JobMessage m;
  std::string job;
  std::int64_t checkpoint_every_ms = 0;
  StrictObject object(json, "message job");
  object.Read("job", job);
  object.Read("attempt", m.attempt);
  object.Read("config", m.config_json);
  object.Read("to", m.to);
  object.Read("corpus_dir", m.corpus_dir);
  object.Read("attempt_dir", m.attempt_dir);
  object.Read("resume_dir", m.resume_dir);
  object.Read("start_step", m.start_step);
  object.Read("checkpoint_every_ms", checkpoint_every_ms);
  for (const Json& step : object.Child("branch_steps")) {
    if (!step.is_number_integer()) {
      object.Fail("a branch step is no number");
      continue;
    }
    m.branch_steps.push_back(step.get<std::int64_t>());
  }
  if (m.attempt < 1 || m.to < 1 || m.start_step < 0 || checkpoint_every_ms < 1) {
    object.Fail("a number is out of range");
  }
  RETURN_IF_ERROR(object.Done());
  m.job = JobId(job);
  m.checkpoint_every = absl::Milliseconds(checkpoint_every_ms);
  return m;
}

absl::StatusOr<AgentMessage> StopFrom(const Json& json) {
  std::string name;
  StrictObject object(json, "message stop");
  object.Read("kind", name);
  RETURN_IF_ERROR(object.Done());
  const std::optional<StopKind> kind = ValueIn(kStopKinds, name);
  if (!kind) return InvalidArgument("message stop: unknown kind '" + name + "'");
  return StopMessage{*kind};
}

absl::StatusOr<TrainerMessage> ReadyFrom(const Json& json) {
  ReadyMessage m;
  StrictObject object(json, "message ready");
  object.Read("protocol", m.protocol);
  object.Read("device", m.device);
  object.Read("numerics", m.numerics);
  RETURN_IF_ERROR(object.Done());
  return m;
}

absl::StatusOr<TrainerMessage> DoneFrom(const Json& json) {
  DoneMessage m;
  std::string job, outcome;
  int code = 0;
  StrictObject object(json, "message done");
  object.Read("job", job);
  object.Read("attempt", m.attempt);
  object.Read("outcome", outcome);
  object.Read("code", code);
  object.Read("error", m.error);
  if (code < 0 || code > kLargestStatusCode) object.Fail("code is out of range");
  RETURN_IF_ERROR(object.Done());
  m.job = JobId(job);
  m.outcome = JobOutcomeFromName(outcome);
  if (!m.outcome && !outcome.empty()) {
    return InvalidArgument("message done: unknown outcome '" + outcome + "'");
  }
  m.code = static_cast<absl::StatusCode>(code);
  return m;
}

// The one key of a message, and what it holds.
absl::StatusOr<Json> ParseLine(std::string_view line) {
  if (line.size() > kMaxTrainerMessageBytes) return InvalidArgument("message too long");
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.size() != 1) return InvalidArgument("message is no JSON object");
  return json;
}

}  // namespace

std::string Encode(const AgentMessage& message) { return EncodeLine(message); }
std::string Encode(const TrainerMessage& message) { return EncodeLine(message); }

absl::StatusOr<AgentMessage> DecodeAgentMessage(std::string_view line) {
  ASSIGN_OR_RETURN(const Json json, ParseLine(line));
  const std::string& name = json.begin().key();
  const Json& body = json.begin().value();
  if (name == "job") return JobFrom(body);
  if (name == "stop") return StopFrom(body);
  if (name == "exit" && body == Json::object()) return ExitMessage{};
  return InvalidArgument("unknown message '" + name + "'");
}

absl::StatusOr<TrainerMessage> DecodeTrainerMessage(std::string_view line) {
  ASSIGN_OR_RETURN(const Json json, ParseLine(line));
  const std::string& name = json.begin().key();
  const Json& body = json.begin().value();
  if (name == "ready") return ReadyFrom(body);
  if (name == "done") return DoneFrom(body);
  return InvalidArgument("unknown message '" + name + "'");
}

absl::Status LineBuffer::Add(std::string_view bytes) {
  bytes_.append(bytes);
  const std::size_t line = std::min(bytes_.find('\n'), bytes_.size());
  if (line > kMaxTrainerMessageBytes) return InvalidArgument("a message line is too long");
  return absl::OkStatus();
}

std::optional<std::string> LineBuffer::NextLine() {
  const std::size_t end = bytes_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = bytes_.substr(0, end);
  bytes_.erase(0, end + 1);
  return line;
}

}  // namespace etude
