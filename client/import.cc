// etude import
#include <fmt/format.h>

#include <memory>

#include "client/blob_tree.h"
#include "client/bundle_directory.h"
#include "client/command.h"
#include "client/display_text.h"
#include "lib/base/status.h"
#include "lib/scaling/spec.h"

namespace etude {
namespace {

struct ImportFlags {
  std::string bundle;
  std::string name;
};

// What changed since it was verified is not what the manifest names.
absl::Status Send(CoordinatorClient& client, const std::string& path, const ArtifactFile& file) {
  const absl::StatusOr<ArtifactFile> sent = client.Upload(path, nullptr);
  if (!sent.ok()) return sent.status();
  if (sent->sha256 == file.sha256) return absl::OkStatus();
  return DataLoss(path + " changed while it was read; nothing was imported");
}

absl::Status SendFiles(Session& session, CoordinatorClient& client, const std::string& directory,
                       const BundleManifest& manifest) {
  const auto progress = session.MakeProgress();
  std::size_t done = 0;
  for (const ArtifactFile& blob : manifest.blobs) {
    progress->Update(fmt::format("sending blob {} of {}", ++done, manifest.blobs.size()));
    RETURN_IF_ERROR(Send(client, directory + "/" + BlobTreePath(blob), blob));
  }
  progress->Update("sending rows: " + BytesText(static_cast<double>(manifest.rows.bytes)));
  return Send(client, directory + "/" + kBundleRowsFile, manifest.rows);
}

absl::StatusOr<BundleManifest> Verified(Session& session, const std::string& directory) {
  const auto progress = session.MakeProgress();
  return VerifyBundle(directory, [&](std::int64_t bytes) {
    progress->Update("verified " + BytesText(static_cast<double>(bytes)));
  });
}

Report ReportOf(const ImportedSweep& imported) {
  Report report;
  report.facts = {
      {{"sweep", "sweep"}, imported.name},
      {{"sweep_id", "id", Show::kId}, imported.sweep.text()},
      {{"created", "new here"}, imported.created},
      {{"runs_added", "runs added", Show::kCount}, std::int64_t{imported.runs_added}},
      {{"runs_completed", "completed", Show::kCount}, std::int64_t{imported.runs_completed}},
      {{"runs_kept", "kept as here", Show::kCount}, std::int64_t{imported.runs_kept}},
      {{"runs_open", "not ended", Show::kCount}, std::int64_t{imported.runs_open}}};
  return report;
}

absl::StatusOr<ExitCode> RunImport(Session& session, const ImportFlags& flags) {
  if (!flags.name.empty() && !IsSweepName(flags.name)) {
    return InvalidArgument("--name: 1 to 64 of the characters A-Z a-z 0-9 . _ -");
  }
  ASSIGN_OR_RETURN(const BundleManifest manifest, Verified(session, flags.bundle));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  RETURN_IF_ERROR(SendFiles(session, *client, flags.bundle, manifest));
  const absl::StatusOr<ImportedSweep> imported =
      client->ImportBundle(manifest.rows.sha256, flags.name);
  if (imported.status().code() == absl::StatusCode::kAlreadyExists) {
    return WithHint(imported.status(), "etude import " + flags.bundle + " --name OTHER");
  }
  if (!imported.ok()) return imported.status();
  session.Print(ReportOf(*imported));
  session.Say(imported->runs_open > 0 ? fmt::format("{} runs go on here: etude sweep watch {}",
                                                    imported->runs_open, imported->name)
                                      : "next: etude sweep show " + imported->name);
  return ExitCode::kOk;
}

}  // namespace

void AddImport(CommandTree& tree) {
  const auto flags = std::make_shared<ImportFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"import",
       "Take over a sweep that another coordinator exported as a bundle.",
       {"etude import out/first", "etude import out/first --name first-of-ana"},
       "Every file's SHA-256 is checked before anything is sent, and the sweep is there as a whole "
       "or\n"
       "not at all; it takes an admin's token. Curves, fits, predictions and weights are the same "
       "as\n"
       "there, bit for bit. A run that succeeded here already stays as it is. Runs that had not "
       "ended\n"
       "go on here, from the newest checkpoint in the bundle. Importing it again changes nothing.\n"
       "Exits 9 if the bundle is damaged, 6 if the sweep's name stands for another one."},
      [flags](Session& session) { return RunImport(session, *flags); });
  command->add_option("bundle", flags->bundle, "a directory that etude export --to bundle made")
      ->required()
      ->type_name("BUNDLE");
  command->add_option("--name", flags->name, "of the sweep here (default: its own)")
      ->type_name("NAME");
}

}  // namespace etude
