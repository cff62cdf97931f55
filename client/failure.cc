#include "client/failure.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "absl/strings/cord.h"
#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kHint[] = "etude/hint";
constexpr char kWhere[] = "etude/where";
constexpr char kErrors[] = "etude/errors";

std::optional<std::string> Payload(const absl::Status& status, const char* key) {
  const auto payload = status.GetPayload(key);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

absl::Status WithPayload(absl::Status status, const char* key, const std::string& value) {
  if (!status.ok() && !value.empty() && !Payload(status, key)) {
    status.SetPayload(key, absl::Cord(value));
  }
  return status;
}

std::string DefaultHint(const absl::Status& status) {
  switch (ExitCodeOf(status)) {
    case ExitCode::kUnreachable:
      return "etude up     (start a coordinator here), or: etude doctor";
    case ExitCode::kAuth:
      return "etude doctor     (shows the token file in use; $ETUDE_TOKEN_FILE names another)";
    case ExitCode::kInternal:
      return "etude doctor";
    default:
      return "";
  }
}

std::string HintOf(const absl::Status& status) {
  return Payload(status, kHint).value_or(DefaultHint(status));
}

// Line by line, because a message may come from a coordinator that means harm.
std::string PrintableLines(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    shown += Printable(text.substr(0, end)) + "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return shown;
}

// The object of "where": the first position of an invalid spec, else the place in words.
Json WhereJson(const absl::Status& status, const Json& errors) {
  if (!errors.empty()) {
    return {
        {"file", errors[0]["file"]}, {"line", errors[0]["line"]}, {"column", errors[0]["column"]}};
  }
  if (const auto where = Payload(status, kWhere)) return {{"place", *where}};
  return nullptr;
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return ExitCode::kUsage;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kAuth;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kRefused;
    case absl::StatusCode::kDataLoss:
      return ExitCode::kDataLoss;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kTimeout;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kInternal;
  }
}

std::string CodeName(const absl::Status& status) {
  switch (ExitCodeOf(status)) {
    case ExitCode::kOk:
      return "ok";
    case ExitCode::kUsage:
      return "invalid";
    case ExitCode::kNotFound:
      return "not_found";
    case ExitCode::kAuth:
      return "auth";
    case ExitCode::kUnreachable:
      return "unreachable";
    case ExitCode::kConflict:
      return "conflict";
    case ExitCode::kRefused:
      return "refused";
    case ExitCode::kDataLoss:
      return "data_loss";
    case ExitCode::kTimeout:
      return "timeout";
    case ExitCode::kInterrupted:
      return "interrupted";
    default:
      return "internal";
  }
}

bool IsRetryable(const absl::Status& status) {
  const ExitCode code = ExitCodeOf(status);
  return code == ExitCode::kUnreachable || code == ExitCode::kTimeout ||
         code == ExitCode::kInterrupted;
}

absl::Status WithHint(const absl::Status& status, const std::string& hint) {
  return WithPayload(status, kHint, hint);
}

absl::Status WithWhere(const absl::Status& status, const std::string& where) {
  return WithPayload(status, kWhere, where);
}

absl::Status SpecFailure(std::span<const SpecDiagnostic> errors, const std::string& hint) {
  std::string text;
  Json list = Json::array();
  for (const SpecDiagnostic& error : errors) {
    text += (text.empty() ? "" : "\n") + error.Text();
    list.push_back({{"file", error.file},
                    {"line", error.at.line},
                    {"column", error.at.column},
                    {"message", error.message}});
  }
  absl::Status status = WithHint(InvalidArgument(text), hint);
  return WithPayload(status, kErrors, list.dump(-1, ' ', false, Json::error_handler_t::replace));
}

absl::Status OfSweep(const absl::Status& status) {
  const bool unknown = status.code() == absl::StatusCode::kNotFound;
  return unknown ? WithHint(status, "etude sweep ls") : status;
}

absl::Status OfLocalFile(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kPermissionDenied) return status;
  return InvalidArgument(MessageOf(status) + " (choose another path, or change its permissions)");
}

std::string FailureText(const absl::Status& status) {
  const bool positions = Payload(status, kErrors).has_value();  // they say where themselves
  std::string text = PrintableLines((positions ? "" : "etude: ") + MessageOf(status));
  if (const auto where = Payload(status, kWhere)) text += "  at:  " + Printable(*where) + "\n";
  const std::string hint = HintOf(status);
  if (!hint.empty()) text += "  try: " + hint + "\n";
  return text;
}

std::string FailureJson(const absl::Status& status) {
  const Json errors = Json::parse(Payload(status, kErrors).value_or("[]"), nullptr, false);
  Json error = {{"code", CodeName(status)},
                {"message", MessageOf(status)},
                {"hint", HintOf(status)},
                {"retryable", IsRetryable(status)},
                {"where", WhereJson(status, errors)}};
  if (!errors.empty()) error["errors"] = errors;
  return Json{{"error", error}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace etude
