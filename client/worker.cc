// etude worker ls
#include "client/command.h"
#include "client/controls.h"
#include "client/reports.h"
#include "lib/base/status.h"

namespace etude {
namespace {

absl::StatusOr<ExitCode> List(Session& session) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const std::vector<WorkerView> workers, client->Workers());
  session.Print(WorkersReport(workers));
  return ExitCode::kOk;
}

}  // namespace

void AddWorker(CommandTree& tree) {
  CLI::App* noun = AddNoun(tree, {"worker",
                                  "List, show and drain workers.",
                                  {"etude worker ls", "etude worker ls -o json"},
                                  ""});
  AddCommand(tree, *noun,
             {"ls",
              "List workers and what they train now.",
              {"etude worker ls", "etude worker ls -o json"},
              ""},
             List);
  AddWorkerControls(tree, *noun);
}

}  // namespace etude
