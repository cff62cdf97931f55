#include "client/command.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "client/arguments.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kTopFooter[] =
    "Examples:\n"
    "  etude up\n"
    "  etude submit configs/sweeps/first.toml --wait\n"
    "\n"
    "Each command has its own help: etude COMMAND -h\n"
    "Exit codes: 0 ok, 1 internal, 2 usage or invalid input, 3 not found, 4 auth,\n"
    "  5 coordinator unreachable, 6 conflict, 7 finished but some runs failed, 8 refused by a\n"
    "  budget or quota, 9 data corrupt, 10 not identifiable, 124 timeout, 130 interrupted";

std::string FooterOf(const CommandText& text) {
  std::string footer = "Examples:";
  for (const std::string& example : text.examples) footer += "\n  " + example;
  return text.notes.empty() ? footer : footer + "\n\n" + text.notes;
}

// The deepest command that was typed.
const CLI::App& Typed(const CLI::App& app) {
  const auto typed = app.get_subcommands();
  return typed.empty() ? app : Typed(*typed.front());
}

std::string PathOf(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "etude";
  return PathOf(*app.get_parent()) + " " + app.get_name();
}

// Names the whole command, not its last word alone.
class PathFormatter final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string) const override {
    return CLI::Formatter::make_usage(app, PathOf(*app));
  }
  // What stands for an argument, as the examples and the list below have it.
  std::string make_option_usage(const CLI::Option* argument) const override {
    std::string usage = argument->get_type_name();
    if (usage.empty()) usage = argument->get_name(/*positional=*/true);
    if (argument->get_expected_max() > 1) usage += "...";
    return argument->get_required() ? usage : "[" + usage + "]";
  }
};

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string WithoutValue(const std::string& flag) { return flag.substr(0, flag.find('=')); }

// What is wrong with the words, in ours; CLI11's where it is as clear.
absl::Status UsageError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& typed = Typed(app);
  const std::string hint = PathOf(typed) + " -h";
  const std::vector<std::string> commands = CommandNames(typed);
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  if (!rest.empty()) {
    const std::string& word = rest.front();
    if (word.starts_with("-")) {
      return WithHint(
          InvalidArgument(UnknownWord("option", WithoutValue(word), OptionNames(typed))), hint);
    }
    if (!commands.empty()) {
      return WithHint(InvalidArgument(UnknownWord("command", word, commands)), hint);
    }
    return WithHint(InvalidArgument(fmt::format("one word too many: \"{}\"", word)), hint);
  }
  if (!commands.empty()) {
    const std::string what = typed.get_parent() == nullptr ? "a command" : "what to do";
    return WithHint(InvalidArgument(fmt::format("{} needs {}: {}", PathOf(typed), what,
                                                fmt::join(commands, ", "))),
                    hint);
  }
  return WithHint(InvalidArgument(PathOf(typed) + ": " + error.what()), hint);
}

// The form of errors, also when the words could not be parsed.
bool WantsJson(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "";
    const bool flag = word == "-o" || word == "--output";
    const std::string value = flag                            ? next
                              : word.starts_with("--output=") ? word.substr(9)
                              : word.starts_with("-o")        ? word.substr(2)
                                                              : "";
    if (value == "json" || value == "ndjson") return true;
  }
  return false;
}

ExitCode ReportFailure(const absl::Status& status, bool json, const Session::World& world) {
  world.err << (json ? FailureJson(status) : FailureText(status)) << std::flush;
  return ExitCodeOf(status);
}

void AddCommonOptions(CommandTree& tree, CLI::App& command) {
  command
      .add_option("-o,--output", tree.session.output_flag,
                  "table, json, ndjson or csv, on stdout (default: table)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "json", "ndjson", "csv"}));
  command
      .add_option("--endpoint", tree.session.context_flags.endpoint,
                  "the coordinator (default: $ETUDE_ENDPOINT, the current context, "
                  "127.0.0.1:7433)")
      ->type_name("HOST:PORT");
  ContextFlags& flags = tree.session.context_flags;
  command
      .add_option("--token-file", flags.token_file, "(default: $ETUDE_TOKEN_FILE, the context's)")
      ->type_name("FILE");
  command.add_option("--tls-ca", flags.tls_ca, "for another machine's coordinator ($ETUDE_TLS_CA)")
      ->type_name("PEM");
  command.add_option("--tls-cert", flags.tls_cert, "($ETUDE_TLS_CERT)")->type_name("PEM");
  command.add_option("--tls-key", flags.tls_key, "($ETUDE_TLS_KEY)")->type_name("PEM");
}

}  // namespace

OutputFormat Session::format() const {
  return OutputFormatFromName(output_flag).value_or(OutputFormat::kTable);
}

absl::StatusOr<ClientContext> Session::Context() const {
  return ResolveContext(context_flags, world_.environment);
}

absl::StatusOr<CoordinatorClient*> Session::Coordinator() {
  if (coordinator_ == nullptr) {
    ASSIGN_OR_RETURN(const ClientContext context, Context());
    ASSIGN_OR_RETURN(coordinator_, CoordinatorClient::Make(context, world_.clock));
  }
  return coordinator_.get();
}

void Session::Print(const Report& report) const {
  PrintText(Render(report, format(), TableStyle{world_.terminal.stdout_color}));
}

void Session::PrintText(const std::string& text) const { world_.out << text << std::flush; }

void Session::Say(const std::string& line) const { world_.err << line << "\n" << std::flush; }

std::unique_ptr<Progress> Session::MakeProgress() const {
  return std::make_unique<Progress>(world_.err, world_.terminal, world_.clock);
}

CLI::App* AddCommand(CommandTree& tree, CLI::App& parent, const CommandText& text,
                     CommandAction action) {
  CLI::App* command = parent.add_subcommand(text.name, text.purpose);
  command->footer(FooterOf(text));
  AddCommonOptions(tree, *command);
  command->callback([&tree, action = std::move(action)] { tree.chosen = action; });
  return command;
}

CLI::App* AddNoun(CommandTree& tree, const CommandText& text) {
  CLI::App* noun = tree.app.add_subcommand(text.name, text.purpose);
  noun->footer(FooterOf(text));
  noun->require_subcommand(1);
  return noun;
}

void MakeCommands(CommandTree& tree) {
  tree.app.name("etude");
  tree.app.formatter(std::make_shared<PathFormatter>());  // the commands inherit it
  tree.app.description("Scaling-law studies of language models on symbolic music.");
  tree.app.footer(kTopFooter);
  tree.app.set_help_flag("-h,--help", "print this help");
  tree.app.set_version_flag("--version", std::string("etude ") + kClientVersion);
  tree.app.require_subcommand(1);
  AddUp(tree);
  AddTrain(tree);
  AddCorpus(tree);
  AddMusic(tree);
  AddTokenize(tree);
  AddPlan(tree);
  AddSubmit(tree);
  AddSweep(tree);
  AddRun(tree);
  AddWorker(tree);
  AddFit(tree);
  AddPredict(tree);
  AddCompare(tree);
  AddPlot(tree);
  AddExport(tree);
  AddImport(tree);
  AddCert(tree);
  AddToken(tree);
  AddFleet(tree);
  AddDb(tree);
  AddDoctor(tree);
}

ExitCode RunProgram(const std::vector<std::string>& arguments, Session::World world) {
  Session session(world);
  CommandTree tree{CLI::App(), session, nullptr};
  MakeCommands(tree);
  try {
    std::vector<std::string> words(arguments.rbegin(), arguments.rend());
    tree.app.parse(words);  // which reads from the back
  } catch (const CLI::CallForHelp&) {
    world.out << Typed(tree.app).help() << std::flush;
    return ExitCode::kOk;
  } catch (const CLI::Success& text) {  // --version
    world.out << text.what() << "\n" << std::flush;
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    return ReportFailure(UsageError(tree.app, error), WantsJson(arguments), world);
  }
  const absl::StatusOr<ExitCode> code = tree.chosen(session);
  if (code.ok()) return *code;
  const bool json =
      session.format() == OutputFormat::kJson || session.format() == OutputFormat::kNdjson;
  return ReportFailure(code.status(), json, world);
}

}  // namespace etude
