// etude db show, backup, verify, restore
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <memory>
#include <sstream>

#include "client/backup_directory.h"
#include "client/command.h"
#include "client/display_text.h"
#include "client/external_command.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kOfflineLimit = absl::Hours(24);  // to read or copy a backup

std::string Bytes(std::int64_t bytes) { return BytesText(static_cast<double>(bytes)); }

// show

absl::StatusOr<ExitCode> ShowStore(Session& session) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const StoreView store, client->Store());
  Report report;
  report.facts = {{{"database_bytes", "database", Show::kBytes}, store.database_bytes},
                  {{"blobs", "blobs", Show::kCount}, store.blobs},
                  {{"blob_bytes", "in blobs", Show::kBytes}, store.blob_bytes},
                  {{"reclaimable", "named by nothing", Show::kCount}, store.reclaimable},
                  {{"reclaimable_bytes", "to be reclaimed", Show::kBytes}, store.reclaimable_bytes},
                  {{"free_bytes", "free on its disk", Show::kBytes}, store.free_bytes}};
  session.Print(report);
  return ExitCode::kOk;
}

// backup

class Receiver final : public BackupReceiver {
 public:
  Receiver(Session& session, CoordinatorClient& client, BackupDirectory& directory)
      : client_(client), directory_(directory), progress_(session.MakeProgress()) {}

  void OnCopied(std::int64_t pages_done, std::int64_t pages) override {
    progress_->Update(fmt::format("snapshot: {} of {} pages", pages_done, pages));
  }
  absl::Status OnOffer(const BackupOffer& offer) override {
    RETURN_IF_ERROR(directory_.Begin(offer));
    database_bytes_ = offer.database.bytes;
    return absl::OkStatus();
  }
  absl::Status OnDatabase(std::string_view bytes) override {
    received_ += static_cast<std::int64_t>(bytes.size());
    progress_->Update("database: " + Bytes(received_) + " of " + Bytes(database_bytes_));
    return directory_.AppendToDatabase(bytes);
  }
  absl::Status OnBlobs(const BackupOffer& offer) override {
    RETURN_IF_ERROR(directory_.EndDatabase());
    for (std::size_t i = 0; i < offer.blobs.size(); ++i) {
      const ArtifactFile& blob = offer.blobs[i];
      progress_->Update(fmt::format("blobs: {} of {}", i + 1, offer.blobs.size()));
      blob_bytes_ += blob.bytes;
      ASSIGN_OR_RETURN(const bool there, directory_.Has(blob));
      if (there) continue;
      ASSIGN_OR_RETURN(const std::string path, directory_.PathOf(blob));
      RETURN_IF_ERROR(client_.Download(blob, path, nullptr));
      received_ += blob.bytes;
    }
    progress_->Clear();
    missing_ = offer.missing;
    blobs_ = static_cast<std::int64_t>(offer.blobs.size());
    return directory_.Finish(offer);
  }

  Report ReportOf(const std::string& directory) const {
    Report report;
    report.facts = {
        {{"directory", "backup"}, directory},
        {{"database_bytes", "database", Show::kBytes}, database_bytes_},
        {{"blobs", "blobs", Show::kCount}, blobs_},
        {{"blob_bytes", "in blobs", Show::kBytes}, blob_bytes_},
        {{"received_bytes", "received", Show::kBytes}, received_},
        {{"missing", "missing", Show::kCount}, static_cast<std::int64_t>(missing_.size())}};
    return report;
  }
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  CoordinatorClient& client_;
  BackupDirectory& directory_;
  const std::unique_ptr<Progress> progress_;
  std::int64_t database_bytes_ = 0;
  std::int64_t received_ = 0;
  std::int64_t blobs_ = 0;
  std::int64_t blob_bytes_ = 0;
  std::vector<std::string> missing_;
};

absl::StatusOr<ExitCode> Backup(Session& session, const std::string& dir) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  absl::StatusOr<BackupDirectory> directory = BackupDirectory::Open(dir, session.clock());
  if (!directory.ok()) return OfLocalFile(directory.status());
  Receiver receiver(session, *client, *directory);
  const absl::Status status = client->Backup(receiver);
  if (!status.ok()) return WithHint(status, "etude db backup " + dir + "     (it goes on)");
  session.Print(receiver.ReportOf(dir));
  for (const std::string& blob : receiver.missing()) {
    session.Say("blob " + blob + " is missing at the coordinator, or damaged there");
  }
  return receiver.missing().empty() ? ExitCode::kOk : ExitCode::kDataLoss;
}

// verify and restore of a backup: the coordinator's program knows the store.

// The facts that it printed, "KEY<TAB>VALUE".
struct OfflineFacts {
  std::vector<std::pair<std::string, std::string>> lines;
  std::vector<std::string> All(const std::string& key) const {
    std::vector<std::string> values;
    for (const auto& [name, value] : lines) {
      if (name == key) values.push_back(value);
    }
    return values;
  }
  Cell Text(const std::string& key) const {
    const std::vector<std::string> values = All(key);
    return values.empty() ? Cell() : Cell(values[0]);
  }
  Cell Number(const std::string& key) const {
    const std::vector<std::string> values = All(key);
    std::int64_t number = 0;
    if (values.empty()) return Cell();
    std::from_chars(values[0].data(), values[0].data() + values[0].size(), number);
    return number;
  }
};

OfflineFacts FactsOf(const std::string& out) {
  OfflineFacts facts;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos)
      facts.lines.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  }
  return facts;
}

// Its error as ours, by the exit code that both have.
absl::Status OfflineFailure(const ExternalResult& result) {
  constexpr std::string_view kName = "etude-coordinator: ";
  std::string message = LastLineOf(result.err);
  if (message.starts_with(kName)) message = message.substr(kName.size());
  switch (static_cast<ExitCode>(result.status)) {
    case ExitCode::kOk:
      return absl::OkStatus();
    case ExitCode::kUsage:
    case ExitCode::kAuth:
      return InvalidArgument(message);
    case ExitCode::kNotFound:
      return NotFound(message);
    case ExitCode::kConflict:
      return FailedPrecondition(message);
    case ExitCode::kRefused:
      return ResourceExhausted(message);
    case ExitCode::kDataLoss:
      return DataLoss(message);
    case ExitCode::kInterrupted:
      return Cancelled("interrupted");
    default:
      return Internal(message.empty()
                          ? "etude-coordinator ended with " + std::to_string(result.status)
                          : message);
  }
}

absl::StatusOr<ExternalResult> RunCoordinator(const Session& session,
                                              std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), session.world().program_dir + "/etude-coordinator");
  absl::StatusOr<ExternalResult> result =
      RunExternal({.arguments = arguments, .limit = kOfflineLimit});
  if (result.ok()) return result;
  return WithHint(result.status(), "make build     (etude-coordinator belongs beside etude)");
}

std::vector<Field> FactsAsFields(const OfflineFacts& facts) {
  return {{{"created", "made"}, facts.Text("created")},
          {{"software", "by etude"}, facts.Text("software")},
          {{"schema_version", "schema"}, facts.Number("schema_version")},
          {{"files", "files", Show::kCount}, facts.Number("files")},
          {{"bytes", "bytes", Show::kBytes}, facts.Number("bytes")}};
}

Report ProblemsReport(std::vector<Field> facts, const std::vector<std::string>& problems) {
  Report report{"problems", std::move(facts), Table{{{"problem", "problem"}}, {}}, "no problem"};
  for (const std::string& problem : problems) report.list->rows.push_back({problem});
  return report;
}

absl::StatusOr<ExitCode> VerifyBackup(Session& session, const std::string& dir) {
  ASSIGN_OR_RETURN(const ExternalResult result, RunCoordinator(session, {"--verify", dir}));
  const OfflineFacts facts = FactsOf(result.out);
  if (facts.lines.empty()) return OfflineFailure(result);
  session.Print(ProblemsReport(FactsAsFields(facts), facts.All("problem")));
  RETURN_IF_ERROR(OfflineFailure(result));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> VerifyStore(Session& session) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const auto progress = session.MakeProgress();
  std::vector<std::string> problems;
  std::int64_t read = 0;
  RETURN_IF_ERROR(client->VerifyStore(
      [&](const std::string& problem, std::int64_t done_bytes, std::int64_t bytes) {
        if (!problem.empty()) problems.push_back(problem);
        read = done_bytes;
        progress->Update("read " + Bytes(done_bytes) + " of " + Bytes(bytes));
      }));
  progress->Clear();
  session.Print(ProblemsReport({{{"endpoint", "coordinator"}, client->endpoint()},
                                {{"bytes", "bytes read", Show::kBytes}, read}},
                               problems));
  if (problems.empty()) return ExitCode::kOk;
  return WithHint(
      DataLoss(
          fmt::format("the store at {} has {} problem(s)", client->endpoint(), problems.size())),
      "etude db restore DIR     (the newest backup), with the coordinator stopped; lost\n"
      "       checkpoints alone are made again by themselves, a lost corpus by: etude "
      "corpus push");
}

struct RestoreFlags {
  std::string dir;
  std::string state;
  bool replace = false;
};

absl::StatusOr<ExitCode> Restore(Session& session, const RestoreFlags& flags) {
  std::string state = flags.state;
  if (state.empty()) {
    ASSIGN_OR_RETURN(state, DefaultStateDir(session.world().environment));
  }
  state = std::filesystem::absolute(state).lexically_normal().string();
  std::vector<std::string> arguments = {"--restore", flags.dir, "--state", state};
  if (flags.replace) arguments.emplace_back("--replace");
  ASSIGN_OR_RETURN(const ExternalResult result, RunCoordinator(session, arguments));
  RETURN_IF_ERROR(OfflineFailure(result));
  const OfflineFacts facts = FactsOf(result.out);
  Report report;
  report.facts = FactsAsFields(facts);
  report.facts.push_back({{"state_dir", "state"}, state});
  report.facts.push_back({{"moved_to", "what was there"}, facts.Text("moved_to")});
  session.Print(report);
  for (const std::string& note : facts.All("note")) session.Say(note);
  session.Say("next: etude up" + (flags.state.empty() ? "" : " --state " + state) +
              "     (what workers train since the backup is discarded, and trained again)");
  return ExitCode::kOk;
}

void AddBackup(CommandTree& tree, CLI::App& noun) {
  const auto dir = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"backup",
       "Copy everything a running coordinator keeps to a directory here.",
       {"etude db backup backup", "etude db backup /mnt/backups/etude --endpoint big-host:7433"},
       "A snapshot of one moment, while sweeps go on. It takes an admin's token. manifest.json, "
       "with\n"
       "every file's SHA-256, is written last: what was interrupted goes on with the same "
       "command,\n"
       "and a later backup into the same directory fetches only what is new. Exits 9 if the\n"
       "coordinator lacks a file that it should have; the backup is made without it. The backup\n"
       "holds no tokens, keys or certificates."},
      [dir](Session& session) { return Backup(session, *dir); });
  command->add_option("dir", *dir, "where to; made if need be")->required()->type_name("DIR");
}

void AddVerify(CommandTree& tree, CLI::App& noun) {
  const auto dir = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"verify",
       "Read every byte of a backup, or of what the coordinator keeps, and name what is damaged.",
       {"etude db verify backup", "etude db verify"},
       "Of a backup: every file's size and SHA-256, the database's pages, indexes and references,\n"
       "missing and foreign files; no coordinator is needed. Without DIR the running coordinator\n"
       "does the same with its own store while it works. Exits 9 if there is a problem."},
      [dir](Session& session) {
        return dir->empty() ? VerifyStore(session) : VerifyBackup(session, *dir);
      });
  command->add_option("dir", *dir, "a backup (default: the coordinator's own store)")
      ->type_name("DIR");
}

void AddRestore(CommandTree& tree, CLI::App& noun) {
  const auto flags = std::make_shared<RestoreFlags>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"restore",
       "Make a state directory from a backup, on the coordinator's machine.",
       {"etude db restore backup", "etude db restore backup --state /srv/etude --replace"},
       "The backup is verified first, and no coordinator may be running on the state directory.\n"
       "Workers that went on since the backup are told to drop what they train; it is trained "
       "again\n"
       "from the backup's checkpoints, to the same losses."},
      [flags](Session& session) { return Restore(session, *flags); });
  command->add_option("dir", flags->dir, "a backup")->required()->type_name("DIR");
  command
      ->add_option("--state", flags->state,
                   "(default: $ETUDE_STATE, $XDG_STATE_HOME/etude, ~/.local/state/etude)")
      ->type_name("STATE");
  command->add_flag("--replace", flags->replace,
                    "move results that are there to STATE.before-DATE");
}

}  // namespace

void AddDb(CommandTree& tree) {
  CLI::App* noun = AddNoun(tree, {"db",
                                  "Back up, check and restore what the coordinator keeps.",
                                  {"etude db backup backup", "etude db verify backup"},
                                  ""});
  AddCommand(
      tree, *noun,
      {"show",
       "How much is kept, and how much of it nothing needs.",
       {"etude db show", "etude db show -o json"},
       "Kept are corpora, the last and the best checkpoint of every run, the newest one of a\n"
       "run that still trains, and logs. What nothing names is deleted an hour after it was\n"
       "last used."},
      ShowStore);
  AddBackup(tree, *noun);
  AddVerify(tree, *noun);
  AddRestore(tree, *noun);
}

}  // namespace etude
