// etude submit
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "client/command.h"
#include "client/corpus_source.h"
#include "client/reports.h"
#include "client/wait_command.h"
#include "lib/base/status.h"

namespace etude {
namespace {

struct SubmitFlags {
  std::string spec;
  bool wait = false;
};

absl::Status ExplainSubmit(const absl::Status& status, const std::string& path) {
  switch (status.code()) {
    case absl::StatusCode::kAlreadyExists:
      return WithHint(status, "give the spec another name, or see the one there: etude sweep ls");
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
      return WithHint(status, "etude plan " + path);
    default:
      return status;
  }
}

absl::StatusOr<ExitCode> RunSubmit(Session& session, const SubmitFlags& flags) {
  ASSIGN_OR_RETURN(const SpecSource source, ReadSpec(flags.spec));
  std::optional<Signals> signals;
  if (flags.wait) signals.emplace();  // before the channel's threads start
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const SubmitRequest request, MakeSubmitRequest(session, *client, source));
  const absl::StatusOr<Submission> submission = client->Submit(request);
  if (!submission.ok()) return ExplainSubmit(submission.status(), flags.spec);
  const std::string& name = submission->sweep.name;
  if (!submission->created) session.Say("this sweep was submitted before; it is the same one");
  if (!flags.wait) {
    session.Print(SubmissionReport(*submission));
    session.Say("next: etude sweep watch " + name);
    return ExitCode::kOk;
  }
  session.Say(fmt::format("sweep {} ({}): {} runs", name, submission->sweep.id.Short(),
                          submission->sweep.runs.size()));
  ASSIGN_OR_RETURN(const SweepView view,
                   WaitWithProgress(session, *client, *signals, submission->sweep.id.text(),
                                    absl::InfiniteDuration()));
  session.Print(SweepReport(view));
  return ReportEnd(session, view);
}

}  // namespace

void AddSubmit(CommandTree& tree) {
  const auto flags = std::make_shared<SubmitFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"submit",
       "Hand a sweep to the coordinator.",
       {"etude submit configs/sweeps/first.toml --wait", "etude submit plan.json"},
       "A corpus directory named in the spec is pushed first. Submitting the same sweep\n"
       "again is fine: it finds the one that is there."},
      [flags](Session& session) { return RunSubmit(session, *flags); });
  command->add_option("spec", flags->spec, "a TOML spec, or a plan saved by etude plan --out")
      ->required()
      ->type_name("SPEC");
  command->add_flag("--wait", flags->wait, "return when the sweep has ended (exit 7: some failed)");
}

}  // namespace etude
