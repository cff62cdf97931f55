#include "client/export_bundle.h"

#include <fmt/format.h>

#include <memory>

#include "client/bundle_directory.h"
#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

class Receiver final : public BundleReceiver {
 public:
  Receiver(Session& session, CoordinatorClient& client, BundleDirectory& directory)
      : session_(session),
        client_(client),
        directory_(directory),
        progress_(session.MakeProgress()) {}

  absl::Status OnOffer(const BundleOffer& offer) override {
    return OfLocalFile(directory_.Begin(offer));
  }
  absl::Status OnRows(std::string_view bytes) override {
    return OfLocalFile(directory_.AppendToRows(bytes));
  }
  absl::Status OnBlobs(const BundleOffer& offer) override {
    RETURN_IF_ERROR(directory_.EndRows());
    for (std::size_t i = 0; i < offer.blobs.size(); ++i) {
      const ArtifactFile& blob = offer.blobs[i];
      progress_->Update(fmt::format("blobs: {} of {}", i + 1, offer.blobs.size()));
      bytes_ += blob.bytes;
      ASSIGN_OR_RETURN(const bool there, directory_.Has(blob));
      if (there) continue;
      ASSIGN_OR_RETURN(const std::string path, directory_.PathOf(blob));
      RETURN_IF_ERROR(OfLocalFile(client_.Download(blob, path, nullptr)));
    }
    progress_->Clear();
    offer_ = offer;
    return directory_.Finish(offer, ToMicros(session_.clock().Now()));
  }

  const BundleOffer& offer() const { return offer_; }
  Report ReportOf(const std::string& directory) const {
    Report report;
    report.facts = {
        {{"directory", "bundle"}, directory},
        {{"sweep", "sweep"}, offer_.name},
        {{"sweep_id", "id", Show::kId}, offer_.sweep.text()},
        {{"runs", "runs", Show::kCount}, static_cast<std::int64_t>(offer_.runs)},
        {{"runs_open", "not ended", Show::kCount}, static_cast<std::int64_t>(offer_.runs_open)},
        {{"points", "loss points", Show::kCount}, offer_.points},
        {{"blobs", "blobs", Show::kCount}, static_cast<std::int64_t>(offer_.blobs.size())},
        {{"blob_bytes", "in blobs", Show::kBytes}, bytes_}};
    return report;
  }

 private:
  Session& session_;
  CoordinatorClient& client_;
  BundleDirectory& directory_;
  const std::unique_ptr<Progress> progress_;
  BundleOffer offer_;
  std::int64_t bytes_ = 0;
};

}  // namespace

absl::StatusOr<ExitCode> ExportBundle(Session& session, const std::string& sweep,
                                      const std::string& dir) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  RETURN_IF_ERROR(OfSweep(client->FindSweep(sweep).status()));
  absl::StatusOr<BundleDirectory> directory = BundleDirectory::Open(dir, session.clock());
  if (!directory.ok()) return OfLocalFile(directory.status());
  Receiver receiver(session, *client, *directory);
  const absl::Status status = client->ExportBundle(sweep, receiver);
  if (!status.ok()) {
    return WithHint(status,
                    fmt::format("etude export {} --to bundle {}     (it goes on)", sweep, dir));
  }
  session.Print(receiver.ReportOf(dir));
  if (receiver.offer().runs_open > 0) {
    session.Say(
        fmt::format("{} of its runs have not ended: they go on here, too, unless you stop "
                    "them: etude sweep cancel {}",
                    receiver.offer().runs_open, receiver.offer().name));
  }
  session.Say("next: etude import " + dir + " --endpoint OTHER:PORT");
  return ExitCode::kOk;
}

}  // namespace etude
