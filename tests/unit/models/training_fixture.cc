#include "tests/unit/models/training_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "lib/base/file.h"
#include "lib/base/random.h"
#include "lib/base/status.h"
#include "lib/music/char_tokenizer.h"
#include "lib/music/corpus_publish.h"

namespace etude {
namespace {

// Holds every directory of the process; removed at its end.
class TemporaryRoot {
 public:
  TemporaryRoot() {
    const char* parent = getenv("TMPDIR");
    path_ = std::string(parent != nullptr ? parent : "/tmp") + "/etude-models-XXXXXX";
    ENSURE(mkdtemp(path_.data()) != nullptr);
  }
  ~TemporaryRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A letter follows from the one before it with chance 3/4, so there is something to learn.
std::string Tune(std::uint64_t number) {
  const CounterRandom random(number, RandomStream::kSampling);
  const std::uint64_t length = 20 + random.Below(0, 40);
  std::string tune = "A";
  for (std::uint64_t i = 1; i < length; ++i) {
    const std::uint64_t jump = random.Below(2 * i, 4) == 0 ? random.Below(2 * i + 1, 7) : 1;
    tune += static_cast<char>('A' + (tune.back() - 'A' + jump) % 7);
  }
  return tune;
}

std::vector<std::uint16_t> Tokens(const CharTokenizer& vocabulary, std::uint64_t seed,
                                  std::size_t size) {
  std::vector<std::uint16_t> tokens;
  for (std::uint64_t number = seed; tokens.size() < size; ++number) {
    tokens.push_back(0);
    const std::vector<std::uint16_t> tune = vocabulary.Encode(Tune(number)).value();
    tokens.insert(tokens.end(), tune.begin(), tune.end());
  }
  tokens.resize(size);
  return tokens;
}

TestCorpus MakeCorpus() {
  const std::vector<std::string> letters = {"ABCDEFG"};
  const CharTokenizer vocabulary = CharTokenizer::FromTexts(letters).value();
  SplitTokens splits;
  splits[0] = Tokens(vocabulary, 1000, 3000);
  splits[1] = Tokens(vocabulary, 2000, 700);
  splits[2] = Tokens(vocabulary, 3000, 500);
  CorpusManifest manifest;
  manifest.tokenizer = "char";
  manifest.split_rule = "as given";
  const std::string dir = NewDirectory() + "/corpus";
  const absl::StatusOr<CorpusReport> report = PublishCorpus(dir, splits, vocabulary, manifest);
  ENSURE(report.ok());
  return {dir, report->id, vocabulary.vocab(), static_cast<std::int64_t>(splits[0].size())};
}

}  // namespace

const TestCorpus& SmallCorpus() {
  static const TestCorpus* corpus = new TestCorpus(MakeCorpus());
  return *corpus;
}

std::string NewDirectory() {
  static const TemporaryRoot root;
  static int count = 0;
  const std::string path = root.path() + "/" + std::to_string(count++);
  ENSURE(MakeDirectories(path).ok());
  return path;
}

RunConfig TinyRun(Family family) {
  const TestCorpus& corpus = SmallCorpus();
  RunConfig config;
  config.model = *ParseShape(family, family == Family::kTransformer ? "2x16x2" : "1x24");
  config.model.vocab = corpus.vocab;
  config.model.context = 16;
  config.corpus = corpus.id;
  config.steps = 12;
  config.batch = 4;
  config.stride = 16;
  config.unique_tokens = 400;
  config.train_tokens = corpus.train_tokens;
  config.lr = 1e-2;
  config.schedule.warmup_steps = 3;
  config.eval.curve_points = 4;
  config.eval.curve_tokens = 200;
  return config;
}

std::vector<LossPoint> Recorder::Of(Series series) const {
  std::vector<LossPoint> found;
  std::copy_if(points.begin(), points.end(), std::back_inserter(found),
               [&](const LossPoint& point) { return point.series == series; });
  return found;
}

std::vector<LossPoint> Recorder::Repeatable() const {
  std::vector<LossPoint> found;
  std::copy_if(points.begin(), points.end(), std::back_inserter(found),
               [](const LossPoint& point) { return point.series != Series::kTokensPerSecond; });
  return found;
}

const WrittenCheckpoint* Recorder::Newest(CheckpointKind kind) const {
  const auto found =
      std::find_if(checkpoints.rbegin(), checkpoints.rend(),
                   [&](const WrittenCheckpoint& checkpoint) { return checkpoint.kind == kind; });
  return found == checkpoints.rend() ? nullptr : &*found;
}

TrainRequest RequestFor(const RunConfig& config) {
  TrainRequest request;
  request.config = config;
  request.to = config.steps;
  request.corpus_dir = SmallCorpus().dir;
  request.attempt_dir = NewDirectory();
  request.device = Device::kCpu;
  request.checkpoint_every = absl::InfiniteDuration();
  return request;
}

Trained TrainNow(const TrainRequest& request, const std::function<StopRequest(int)>& stop) {
  Recorder recorder;
  TickingClock clock;
  int calls = 0;
  auto report = Train(
      request, recorder, [&] { return stop(calls++); }, clock);
  return {request, std::move(report), std::move(recorder)};
}

std::string PythonPath() {
  const char* chosen = getenv("ETUDE_PYTHON");
  const std::string python = chosen != nullptr ? chosen : ".deps/venv/bin/python3";
  return access(python.c_str(), X_OK) == 0 ? python : "";
}

std::optional<std::string> RunOracle(const std::string& script, const std::string& arguments) {
  const std::string command = PythonPath() + " tests/oracles/" + script + " " + arguments;
  FILE* pipe = popen(command.c_str(), "r");
  ENSURE(pipe != nullptr);
  std::string output;
  std::array<char, 256> part;
  while (fgets(part.data(), part.size(), pipe) != nullptr) output += part.data();
  return pclose(pipe) == 0 ? std::optional(output) : std::nullopt;
}

}  // namespace etude
