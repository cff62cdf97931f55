#include "client/corpus_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "client/display_text.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/music/corpus_load.h"
#include "lib/music/corpus_manifest.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxSpecFileBytes = std::int64_t{1} << 28;  // a saved plan holds every run
constexpr double kProgressFromBytes = 8 << 20;                     // smaller files are sent at once
constexpr std::size_t kNameIdChars = 8;
constexpr std::size_t kMaxNameChars = 64;

std::string CheckAgain(const std::string& path) { return "etude plan " + path; }

absl::StatusOr<ArtifactFile> UploadFile(Progress& progress, CoordinatorClient& client,
                                        const std::string& path) {
  std::error_code error;
  const auto bytes = static_cast<double>(fs::file_size(path, error));
  const auto show = [&](std::int64_t sent) {
    if (bytes < kProgressFromBytes) return true;
    progress.Update(fmt::format("pushing {}: {} of {}", path, BytesText(static_cast<double>(sent)),
                                BytesText(bytes)));
    return true;
  };
  return client.Upload(path, show);
}

}  // namespace

absl::StatusOr<SpecSource> ReadSpec(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxSpecFileBytes);
  if (!text.ok()) {
    return WithHint(OfLocalFile(Annotate(text.status(), "spec")),
                    "ls configs/sweeps     (specs that run as they lie)");
  }
  SpecSource source{path, {}, std::nullopt};
  std::string toml = *text;
  std::string file = path;
  if (IsSavedPlan(*text)) {
    absl::StatusOr<SavedPlan> saved = PlanFromJson(*text);
    if (!saved.ok()) return WithWhere(saved.status(), path);
    toml = saved->spec_toml;
    file = saved->spec_file;
    source.saved = *std::move(saved);
  }
  ParseResult parsed = CheckSweepSpec(toml, file);
  if (!parsed.spec) return SpecFailure(parsed.errors, CheckAgain(path));
  source.spec = *std::move(parsed.spec);
  return source;
}

absl::StatusOr<LocatedCorpus> LocateCorpus(Session& session, const std::string& text) {
  const bool directory = text.find('/') != std::string::npos || text == "." || text == ".." ||
                         FileExists(text + "/" + kManifestFile);
  if (directory) {
    absl::StatusOr<Corpus> corpus = LoadCorpus(text, /*verify=*/false);
    if (!corpus.ok()) {
      return WithHint(OfLocalFile(corpus.status()), "etude corpus build SRC " + text);
    }
    return LocatedCorpus{*std::move(corpus), text};
  }
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  absl::StatusOr<Corpus> corpus = client->FindCorpus(text);
  if (corpus.status().code() == absl::StatusCode::kNotFound) {
    return WithHint(NotFound("corpus \"" + text +
                             "\": no directory with a corpus.json here, and "
                             "none pushed under that name to " +
                             client->endpoint()),
                    "etude corpus push DIR --name " + text + ", or: etude corpus ls");
  }
  if (corpus.status().code() == absl::StatusCode::kUnavailable) {
    return WithHint(Annotate(corpus.status(), "corpus \"" + text + "\" is no directory here"),
                    "etude up, or plan without it: etude plan SPEC --vocab V --corpus-tokens T");
  }
  if (!corpus.ok()) return corpus.status();
  return LocatedCorpus{*std::move(corpus), ""};
}

absl::StatusOr<Plan> PlanOn(const SpecSource& source, const Corpus& corpus,
                            const PlanOptions& options) {
  std::vector<SpecDiagnostic> errors;
  absl::StatusOr<Plan> plan = PlanSweep(source.spec, corpus, options, &errors);
  if (!plan.ok()) {
    if (plan.status().code() == absl::StatusCode::kInvalidArgument && !errors.empty()) {
      return SpecFailure(errors, CheckAgain(source.path));
    }
    return WithHint(WithWhere(plan.status(), source.path), CheckAgain(source.path));
  }
  if (source.saved) RETURN_IF_ERROR(WithWhere(CheckSavedPlan(*source.saved, *plan), source.path));
  return plan;
}

std::vector<MeasuredRate> MeasuredRates(const std::vector<RunProgress>& runs) {
  std::map<std::pair<Family, std::string>, std::pair<std::int64_t, double>> newest;
  for (const RunProgress& progress : runs) {
    if (!progress.run.result || !(progress.run.result->tokens_per_s > 0)) continue;
    const ModelConfig& model = progress.run.config.model;
    auto& [finished, rate] = newest[{model.family, ShapeText(model)}];
    if (progress.run.finished_at_us < finished) continue;
    finished = progress.run.finished_at_us;
    rate = progress.run.result->tokens_per_s;
  }
  std::vector<MeasuredRate> rates;
  for (const auto& [shape, rate] : newest) {
    rates.push_back({shape.first, shape.second, rate.second});
  }
  return rates;
}

std::string CorpusNameOf(const std::string& dir) {
  fs::path path = fs::path(dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::error_code error;
  if (path == "." || path == ".." || path.empty()) path = fs::canonical(dir, error);
  std::string name = path.filename().string().substr(0, kMaxNameChars);
  for (char& c : name) {
    if (!IsSafeFileName(std::string{'x', c})) c = '-';
  }
  return IsSweepName(name) && name != "." && name != ".." ? name : "corpus";
}

absl::StatusOr<PushedCorpus> PushCorpusDir(Session& session, CoordinatorClient& client,
                                           const std::string& dir, const std::string& name) {
  absl::StatusOr<Corpus> corpus = LoadCorpus(dir, /*verify=*/true);
  if (!corpus.ok()) return WithHint(OfLocalFile(corpus.status()), "etude corpus build SRC " + dir);
  const auto progress = session.MakeProgress();
  std::vector<ArtifactFile> files;
  for (const ArtifactFile& file : corpus->files) {
    if (!IsSafeFileName(file.name)) {
      return DataLoss(dir + "/corpus.json lists a file with an unsafe name");
    }
    ASSIGN_OR_RETURN(ArtifactFile sent, UploadFile(*progress, client, dir + "/" + file.name));
    if (sent.sha256 != file.sha256) return DataLoss(dir + " changed while it was pushed");
    files.push_back(std::move(sent));
  }
  absl::StatusOr<PushedCorpus> pushed = client.PushCorpus(name, files);
  if (pushed.status().code() == absl::StatusCode::kAlreadyExists) {
    return WithHint(pushed.status(), fmt::format("etude corpus push {} --name {}-2", dir, name));
  }
  return pushed;
}

absl::StatusOr<Corpus> EnsurePushed(Session& session, CoordinatorClient& client,
                                    const LocatedCorpus& located) {
  if (located.dir.empty()) return located.corpus;
  absl::StatusOr<Corpus> there = client.FindCorpus(located.corpus.id.text());
  if (there.ok() || there.status().code() != absl::StatusCode::kNotFound) return there;
  std::string name = CorpusNameOf(located.dir);
  const absl::StatusOr<Corpus> taken = client.FindCorpus(name);
  if (taken.ok()) {
    name = name.substr(0, kMaxNameChars - kNameIdChars - 1) + "-" +
           located.corpus.id.text().substr(0, kNameIdChars);
  }
  ASSIGN_OR_RETURN(const PushedCorpus pushed, PushCorpusDir(session, client, located.dir, name));
  session.Say(fmt::format("pushed {} as corpus {}", located.dir, pushed.corpus.name));
  return pushed.corpus;
}

absl::StatusOr<SubmitRequest> MakeSubmitRequest(Session& session, CoordinatorClient& client,
                                                const SpecSource& source) {
  ASSIGN_OR_RETURN(const LocatedCorpus located, LocateCorpus(session, source.spec.corpus));
  ASSIGN_OR_RETURN(const Plan plan, PlanOn(source, located.corpus, PlanOptions()));
  ASSIGN_OR_RETURN(const Corpus corpus, EnsurePushed(session, client, located));
  SubmitRequest request;
  request.spec_toml = source.spec.toml;
  request.file_name = source.spec.file;
  if (!located.dir.empty()) request.corpus = corpus.id;
  if (source.saved) request.expected_sweep_id = plan.id;
  return request;
}

}  // namespace etude
