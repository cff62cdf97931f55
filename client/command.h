// What every command of the client has in common: where it prints, whom it asks, and how it is put
// among the others.
#ifndef ETUDE_CLIENT_COMMAND_H_
#define ETUDE_CLIENT_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/context.h"
#include "client/coordinator_client.h"
#include "client/environment.h"
#include "client/failure.h"
#include "client/output.h"
#include "client/progress.h"
#include "lib/base/clock.h"

namespace etude {

inline constexpr char kClientVersion[] = "0.1.0";

// One call of the program. Not thread-safe.
class Session {
 public:
  struct World {
    std::ostream& out;
    std::ostream& err;
    Environment environment;
    Terminal terminal;
    Clock& clock;
    std::string program_dir;  // where etude and its sister programs lie
  };
  explicit Session(World world) : world_(std::move(world)) {}

  // Set by the options that every command takes.
  std::string output_flag = "table";
  ContextFlags context_flags;

  OutputFormat format() const;
  const World& world() const { return world_; }
  Clock& clock() const { return world_.clock; }
  absl::StatusOr<ClientContext> Context() const;
  // The coordinator of the context; made at the first call, connected by its first use. A missing
  // token file is not an error here: the coordinator says whether it wants one.
  absl::StatusOr<CoordinatorClient*> Coordinator();

  // stdout.
  void Print(const Report& report) const;
  void PrintText(const std::string& text) const;
  // stderr, a line.
  void Say(const std::string& line) const;
  std::unique_ptr<Progress> MakeProgress() const;

 private:
  World world_;
  std::unique_ptr<CoordinatorClient> coordinator_;
};

using CommandAction = std::function<absl::StatusOr<ExitCode>(Session&)>;

// The tree of commands and the one that was typed.
struct CommandTree {
  CLI::App app;
  Session& session;
  CommandAction chosen;  // empty until parsed
};

// How a command is shown; `examples` are whole lines to type, two or more.
struct CommandText {
  std::string name;
  std::string purpose;
  std::vector<std::string> examples;
  std::string notes;  // below the examples
};

// Adds a command under `parent` with the options every command takes; the caller adds its own.
CLI::App* AddCommand(CommandTree& tree, CLI::App& parent, const CommandText& text,
                     CommandAction action);
// A noun that has commands: "sweep". It does nothing by itself.
CLI::App* AddNoun(CommandTree& tree, const CommandText& text);

// One file a command; all are called by MakeCommands.
void AddUp(CommandTree& tree);
void AddTrain(CommandTree& tree);
void AddCorpus(CommandTree& tree);
void AddCorpusConvert(CommandTree& tree, CLI::App& noun);  // of `corpus`
void AddMusic(CommandTree& tree);
void AddTokenize(CommandTree& tree);
void AddPlan(CommandTree& tree);
void AddSubmit(CommandTree& tree);
void AddSweep(CommandTree& tree);
void AddRun(CommandTree& tree);
void AddWorker(CommandTree& tree);
void AddFit(CommandTree& tree);
void AddPredict(CommandTree& tree);
void AddCompare(CommandTree& tree);
void AddPlot(CommandTree& tree);
void AddExport(CommandTree& tree);
void AddImport(CommandTree& tree);
void AddCert(CommandTree& tree);
void AddToken(CommandTree& tree);
void AddFleet(CommandTree& tree);
void AddDb(CommandTree& tree);
void AddDoctor(CommandTree& tree);
void MakeCommands(CommandTree& tree);

// The whole program: parses, runs, reports errors as --output asks. `arguments` without the
// program's name.
ExitCode RunProgram(const std::vector<std::string>& arguments, Session::World world);

}  // namespace etude

#endif  // ETUDE_CLIENT_COMMAND_H_
