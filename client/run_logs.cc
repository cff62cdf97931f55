#include "client/run_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "client/display_text.h"
#include "client/log_follow.h"
#include "client/pull.h"
#include "client/signals.h"
#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::int64_t kMaxLogBytes = std::int64_t{1} << 28;
constexpr absl::Duration kReadLimit = absl::Minutes(1);

struct LogFlags {
  std::string run;
  int attempt = 0;  // 0: all
  int tail = -1;    // lines; -1: all
  bool follow = false;
};

struct LogLine {
  int attempt = 0;
  std::string text;
};

Report LogReport(std::vector<LogLine> lines) {
  Report report{"lines", {}, Table{{{"attempt", "attempt"}, {"line", "line"}}, {}}, "no log"};
  for (LogLine& line : lines) {
    report.list->rows.push_back({static_cast<std::int64_t>(line.attempt), std::move(line.text)});
  }
  return report;
}

std::string PlainLine(const std::string& line) { return ShownCell(line, Show::kPlain) + "\n"; }

// The text of a log: through a directory of its own, because blobs travel to files.
absl::StatusOr<std::string> ReadLog(Session& session, CoordinatorClient& client,
                                    const ArtifactFile& log) {
  if (log.bytes > kMaxLogBytes) {
    return ResourceExhausted(fmt::format("{} has {}; this command prints at most {}", log.name,
                                         BytesText(static_cast<double>(log.bytes)),
                                         BytesText(static_cast<double>(kMaxLogBytes))));
  }
  ASSIGN_OR_RETURN(const auto directory, TemporaryDirectory::Make(session.world().environment));
  RETURN_IF_ERROR(PullFiles(session, client, std::span(&log, 1), directory->path()));
  return ReadFile(directory->path() + "/" + log.name, kMaxLogBytes);
}

// Of an attempt that has uploaded none: what the coordinator was sent while it ran.
absl::Status ReadShipped(CoordinatorClient& client, const std::string& run, int ordinal,
                         LogLines& lines) {
  const absl::Status status = client.TailLog({.run = run, .ordinal = ordinal}, kReadLimit,
                                             [&](const CoordinatorClient::LogPart& part) {
                                               lines.Add(part.offset, part.text);
                                               return true;
                                             });
  return absl::IsUnimplemented(status) ? absl::OkStatus() : status;
}

absl::Status ReadAttempt(Session& session, CoordinatorClient& client, const RunView& view,
                         int ordinal, std::vector<LogLine>& all) {
  const AttemptView& attempt = view.attempts[static_cast<std::size_t>(ordinal) - 1];
  const auto keep = [&](const std::string& line) { all.push_back({attempt.attempt.number, line}); };
  const std::vector<ArtifactFile> uploaded = LogsOf(attempt);
  for (const ArtifactFile& log : uploaded) {
    ASSIGN_OR_RETURN(const std::string text, ReadLog(session, client, log));
    LogLines lines(keep);
    lines.Add(0, text);
    lines.End();
  }
  if (!uploaded.empty()) return absl::OkStatus();
  LogLines lines(keep);
  RETURN_IF_ERROR(ReadShipped(client, view.progress.run.key.text(), ordinal, lines));
  lines.End();
  return absl::OkStatus();
}

absl::StatusOr<RunView> Find(CoordinatorClient& client, const std::string& run) {
  absl::StatusOr<RunView> view = client.FindRun(run);
  return view.ok() ? view : WithHint(view.status(), "etude run ls");
}

absl::StatusOr<ExitCode> Print(Session& session, const LogFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const RunView view, Find(*client, flags.run));
  const std::string key = view.progress.run.key.Short();
  std::vector<LogLine> lines;
  bool known = flags.attempt == 0;
  for (int ordinal = 1; ordinal <= std::ssize(view.attempts); ++ordinal) {
    const Attempt& attempt = view.attempts[static_cast<std::size_t>(ordinal) - 1].attempt;
    if (flags.attempt != 0 && attempt.number != flags.attempt) continue;
    known = true;
    RETURN_IF_ERROR(ReadAttempt(session, *client, view, ordinal, lines));
  }
  if (!known) {
    return WithHint(NotFound(fmt::format("run {} has no attempt {}", key, flags.attempt)),
                    "etude run show " + key);
  }
  if (lines.empty()) {
    session.Say(fmt::format("run {} has no log yet; wait for it: etude run logs {} -f", key, key));
  }
  if (flags.tail >= 0 && std::ssize(lines) > flags.tail) {
    lines.erase(lines.begin(), lines.end() - flags.tail);
  }
  if (session.format() != OutputFormat::kTable) {
    session.Print(LogReport(std::move(lines)));
    return ExitCode::kOk;
  }
  std::string text;
  for (const LogLine& line : lines) text += PlainLine(line.text);
  session.PrintText(text);
  return ExitCode::kOk;
}

LogFollow MakeFollow(Session& session, CoordinatorClient& client, Signals& signals,
                     const LogFlags& flags) {
  LogFollow follow;
  follow.tail = [&client, run = flags.run](CoordinatorClient::LogTail tail, absl::Duration limit,
                                           const auto& on_part) {
    tail.run = run;
    return client.TailLog(tail, limit, on_part);
  };
  follow.find_run = [&client, run = flags.run] { return Find(client, run); };
  follow.interrupted = [&signals](absl::Duration limit) { return signals.WaitFor(limit); };
  follow.say = [&session](const std::string& line) { session.Say(line); };
  const bool plain = session.format() == OutputFormat::kTable;
  follow.on_line = [&session, plain](int attempt, const std::string& line) {
    session.PrintText(plain ? PlainLine(line)
                            : Render(LogReport({{attempt, line}}), OutputFormat::kNdjson));
  };
  follow.attempt = flags.attempt;
  if (flags.tail >= 0) follow.tail_lines = static_cast<std::size_t>(flags.tail);
  return follow;
}

absl::StatusOr<ExitCode> Follow(Session& session, const LogFlags& flags) {
  if (session.format() == OutputFormat::kCsv) {
    return WithHint(InvalidArgument("-f prints lines as they come, and CSV has a head"),
                    "etude run logs " + flags.run + " -f -o ndjson");
  }
  Signals signals;
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  signals.OnSignal([client] { client->StopWatching(); });
  const absl::Status status = FollowLog(MakeFollow(session, *client, signals, flags));
  signals.OnSignal(nullptr);
  if (status.ok()) return ExitCode::kOk;
  if (absl::IsNotFound(status)) return WithHint(status, "etude run show " + flags.run);
  if (absl::IsCancelled(status)) return WithHint(status, "etude run logs " + flags.run + " -f");
  return status;
}

}  // namespace

void AddRunLogs(CommandTree& tree, CLI::App& run) {
  const auto flags = std::make_shared<LogFlags>();
  CLI::App* command = AddCommand(
      tree, run,
      {"logs",
       "Print the trainer's log of each attempt, of a running one as far as it has come.",
       {"etude run logs 3fa9c1 --attempt 2", "etude run logs 3fa9c1 -f --tail 20"},
       "-f begins with the newest attempt and goes on with the next until the run is over; lines\n"
       "come a few seconds after they were written. Ctrl-C leaves the run running."},
      [flags](Session& session) {
        return flags->follow ? Follow(session, *flags) : Print(session, *flags);
      });
  command->add_option("run", flags->run, "the start of its key")->required()->type_name("RUN");
  command->add_option("--attempt", flags->attempt, "only this one (default: all)")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("N");
  command->add_option("--tail", flags->tail, "only the last lines of what is there")
      ->check(CLI::Range(0, 1 << 30))
      ->type_name("LINES");
  command->add_flag("-f,--follow", flags->follow,
                    "go on with what is written, until the run is over");
}

}  // namespace etude
