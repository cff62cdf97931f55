#include "client/corpus_convert.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "client/file_lock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/music/abc_layout.h"
#include "lib/music/midi_reader.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kProgressEvery = absl::Milliseconds(100);
// Finished files whose lines are not written yet; workers wait when there are more.
constexpr std::size_t kMaxUnwritten = 4096;

bool HasMidiName(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".mid" || extension == ".midi" || extension == ".rmi" || extension == ".kar";
}

bool HasMidiBytes(const fs::path& path) {
  std::array<char, 12> bytes{};
  std::ifstream(path, std::ios::binary).read(bytes.data(), bytes.size());
  const std::string_view begin(bytes.data(), bytes.size());
  return begin.starts_with("MThd") || (begin.starts_with("RIFF") && begin.substr(8) == "RMID");
}

// Paths below `src` in order; "" stands for `src` itself when that is a file.
absl::StatusOr<std::vector<std::string>> FindMidiFiles(const std::string& src) {
  std::error_code error;
  const fs::file_status status = fs::status(src, error);
  if (!fs::exists(status)) return NotFound("there is no " + src);
  if (fs::is_regular_file(status)) return std::vector<std::string>{""};
  std::vector<std::string> paths;
  fs::recursive_directory_iterator entry(src, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code unknown;
    if (!entry->is_regular_file(unknown)) continue;
    if (HasMidiName(entry->path()) || HasMidiBytes(entry->path())) {
      paths.push_back(entry->path().lexically_relative(src).generic_string());
    }
  }
  if (error) return FromErrno(error.value(), "list " + src);
  if (paths.empty()) return NotFound("no MIDI files below " + src);
  std::ranges::sort(paths);
  return paths;
}

std::string RecipeOf(const MidiConvertOptions& options) {
  return std::to_string(kConverterVersion) + " grid " +
         (options.grid ? std::to_string(*options.grid) : "auto") +
         (options.layout == AbcLayout::kBars ? " bars" : " voices");
}

// A text that nobody has read yet may be lost with the machine: its line's abc_bytes then differ.
absl::Status WriteText(const std::string& path, const std::string& text) {
  RETURN_IF_ERROR(MakeDirectories(fs::path(path).parent_path().string()));
  const std::string beside = path + ".part";
  std::ofstream out(beside, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out) return FromErrno(errno, "write " + beside);
  std::error_code error;
  fs::rename(beside, path, error);
  return error ? FromErrno(error.value(), "rename " + beside) : absl::OkStatus();
}

void Fill(const MidiConversion& conversion, ConvertedFile& file) {
  file.reason = conversion.reason;
  file.notes_in = conversion.notes_in;
  if (conversion.abc.empty()) return;
  file.status = file.reason.empty() ? ConvertStatus::kConverted : ConvertStatus::kSalvaged;
  file.notes_out = conversion.notes_out;
  file.f1 = conversion.agreement.pitched.F1();
  if (conversion.agreement.drums.reference > 0) file.drum_f1 = conversion.agreement.drums.F1();
  file.duration_f1 = conversion.agreement.pitched.DurationF1();
  file.grid = conversion.grid.steps;
  file.performed = conversion.grid.performed;
  file.key = KeyName(conversion.key);
  file.meter = std::to_string(conversion.meter.beats) + "/" + std::to_string(conversion.meter.unit);
  file.grid_confidence = conversion.grid.fit;
  file.key_confidence = conversion.key_confidence;
  file.meter_confidence = conversion.meter_confidence;
  file.abc_bytes = static_cast<std::int64_t>(conversion.abc.size());
}

void Count(const ConvertedFile& file, CorpusConvertCounts& counts) {
  ++counts.done;
  ++counts.outcomes[{file.status, file.reason}];
  if (!file.HasAbc()) return;
  counts.notes_in += file.notes_in;
  counts.notes_out += file.notes_out;
  counts.performed += file.performed ? 1 : 0;
  counts.abc_bytes += file.abc_bytes;
  counts.f1.push_back(file.f1);
  if (file.drum_f1) counts.drum_f1.push_back(*file.drum_f1);
  counts.duration_f1.push_back(file.duration_f1);
}

// Which file is the first of its bytes. Workers take files in order and claim them in that order,
// so that the answer does not depend on who is faster. Thread-safe.
class Claims {
 public:
  // Waits until all files before `index` have been claimed. Returns the first file of this hash,
  // `index` itself if there was none. Without a hash a file stands alone.
  std::size_t Claim(std::size_t index, const std::string& sha256) {
    MutexLock lock(mutex_);
    while (next_ != index) changed_.Wait(mutex_);
    ++next_;
    changed_.SignalAll();
    if (sha256.empty()) return index;
    return first_.try_emplace(sha256, index).first->second;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::size_t> first_ ABSL_GUARDED_BY(mutex_);
};

struct Finished {
  std::size_t index = 0;
  std::string line;
  ConvertedFile file;
  bool reused = false;
};

class ConvertRun {
 public:
  ConvertRun(const CorpusConvertOptions& options, Clock& clock, const CorpusConvertCalls& calls,
             std::vector<std::string> paths, std::map<std::string, ConvertedFile> earlier)
      : options_(options),
        clock_(clock),
        calls_(calls),
        paths_(std::move(paths)),
        earlier_(std::move(earlier)),
        recipe_(RecipeOf(options.convert)),
        lines_(paths_.size()) {
    counts_.files = static_cast<std::int64_t>(paths_.size());
  }

  absl::StatusOr<CorpusConvertCounts> Run() {
    std::ofstream manifest(ManifestPath(), std::ios::binary | std::ios::app);
    {
      std::vector<std::jthread> workers;
      for (int i = 0; i < options_.jobs; ++i) {
        workers.emplace_back([this] { Work(); });
      }
      while (WriteFinished(manifest)) calls_.on_progress(counts_);
    }
    RETURN_IF_ERROR(failure_);
    if (!manifest) return ResourceExhausted("write " + ManifestPath() + ": is the disk full?");
    if (counts_.done < counts_.files) {
      return Cancelled("stopped; the same command goes on from here");
    }
    std::string text;
    for (const std::string& line : lines_) text.append(line);
    RETURN_IF_ERROR(WriteFileAtomically(ManifestPath(), text));
    return std::move(counts_);
  }

 private:
  std::string ManifestPath() const { return options_.dst + "/" + kConvertManifestName; }
  std::string SourcePath(const std::string& path) const {
    return path.empty() ? options_.src : options_.src + "/" + path;
  }
  std::string NameOf(const std::string& path) const {
    return path.empty() ? fs::path(options_.src).filename().string() : path;
  }
  std::string TextPath(const std::string& path) const {
    return options_.dst + "/" + NameOf(path) + ".abc";
  }

  void Work() {
    while (!calls_.stopped()) {
      const std::size_t index = next_.fetch_add(1);
      if (index >= paths_.size()) break;
      absl::StatusOr<Finished> finished = Finish(index);
      MutexLock lock(mutex_);
      while (finished_.size() >= kMaxUnwritten) changed_.Wait(mutex_);
      if (finished.ok()) {
        finished_.push_back(*std::move(finished));
      } else if (failure_.ok()) {
        failure_ = finished.status();
      }
      if (!failure_.ok()) break;
    }
    MutexLock lock(mutex_);
    ++ended_;
    changed_.SignalAll();
  }

  absl::StatusOr<Finished> Finish(std::size_t index) {
    const absl::Time begin = clock_.MonotonicNow();
    Finished finished{.index = index, .line = {}, .file = {}};
    ConvertedFile& file = finished.file;
    file.path = NameOf(paths_[index]);
    file.recipe = recipe_;
    const absl::StatusOr<std::string> bytes = ReadFile(SourcePath(paths_[index]), kMaxMidiBytes);
    const absl::StatusOr<std::string> sha256 =
        bytes.ok() ? Sha256Hex(*bytes) : Sha256HexOfFile(SourcePath(paths_[index]));
    if (sha256.ok()) file.sha256 = *sha256;
    const std::size_t first = claims_.Claim(index, file.sha256);
    if (const ConvertedFile* before = FinishedBefore(file, first == index); before != nullptr) {
      finished.reused = true;
      file = *before;
    } else if (first != index) {
      file.status = ConvertStatus::kDuplicate;
      file.reason = "same_bytes";
    } else if (!bytes.ok()) {
      file.reason = sha256.ok() ? "too_large" : "unreadable";
    } else {
      const MidiConversion conversion = ConvertMidi(*bytes, options_.convert);
      Fill(conversion, file);
      if (file.HasAbc()) RETURN_IF_ERROR(WriteText(TextPath(paths_[index]), conversion.abc));
    }
    if (first != index) file.duplicate_of = NameOf(paths_[first]);
    if (!file.HasAbc()) RemoveText(index);
    if (!finished.reused) file.ms = absl::ToDoubleMilliseconds(clock_.MonotonicNow() - begin);
    finished.line = ConvertedFileLine(file);
    return finished;
  }

  // The manifest's line of the file, if nothing is left to do for it.
  const ConvertedFile* FinishedBefore(const ConvertedFile& file, bool is_first) const {
    const auto found = earlier_.find(Written(file.path));
    if (found == earlier_.end()) return nullptr;
    const ConvertedFile& before = found->second;
    if (before.sha256 != file.sha256 || before.recipe != recipe_ || file.sha256.empty()) {
      return nullptr;
    }
    if (is_first == (before.status == ConvertStatus::kDuplicate)) return nullptr;
    if (!before.HasAbc()) return &before;
    std::error_code error;
    const std::uintmax_t size = fs::file_size(options_.dst + "/" + file.path + ".abc", error);
    const bool there = !error && size == static_cast<std::uintmax_t>(before.abc_bytes);
    return there ? &before : nullptr;
  }

  // A path as the manifest has it.
  static std::string Written(const std::string& path) {
    ConvertedFile file;
    file.path = path;
    return ParseConvertedFile(ConvertedFileLine(file))->path;
  }

  void RemoveText(std::size_t index) const {
    std::error_code error;
    fs::remove(TextPath(paths_[index]), error);
  }

  // Waits a while for finished files and writes their lines; false: there will be no more.
  bool WriteFinished(std::ofstream& manifest) {
    std::vector<Finished> finished;
    bool ended = false;
    {
      MutexLock lock(mutex_);
      if (ended_ < options_.jobs) changed_.WaitFor(mutex_, kProgressEvery);
      finished.swap(finished_);
      ended = ended_ == options_.jobs;
      changed_.SignalAll();
    }
    for (Finished& one : finished) {
      if (!one.reused) manifest << one.line;
      Count(one.file, counts_);
      counts_.reused += one.reused ? 1 : 0;
      lines_[one.index] = std::move(one.line);
    }
    manifest.flush();
    return !ended;
  }

  const CorpusConvertOptions& options_;
  Clock& clock_;
  const CorpusConvertCalls& calls_;
  const std::vector<std::string> paths_;
  const std::map<std::string, ConvertedFile> earlier_;
  const std::string recipe_;
  std::vector<std::string> lines_;  // by path; of the calling thread, like counts_
  CorpusConvertCounts counts_;
  std::atomic<std::size_t> next_ = 0;
  Claims claims_;

  Mutex mutex_;
  CondVar changed_;
  std::vector<Finished> finished_ ABSL_GUARDED_BY(mutex_);
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_;  // guarded by mutex_ until the workers have ended
};

// Cuts off what a writer left unfinished, so that the next line starts on its own.
absl::Status MendManifest(const std::string& path,
                          const std::map<std::string, ConvertedFile>& files) {
  std::string text;
  for (const auto& [name, file] : files) text.append(ConvertedFileLine(file));
  return text.empty() ? absl::OkStatus() : WriteFileAtomically(path, text);
}

}  // namespace

std::int64_t CorpusConvertCounts::With(ConvertStatus status) const {
  std::int64_t count = 0;
  for (const auto& [outcome, n] : outcomes) count += outcome.first == status ? n : 0;
  return count;
}

absl::StatusOr<CorpusConvertCounts> ConvertCorpus(const CorpusConvertOptions& options, Clock& clock,
                                                  const CorpusConvertCalls& calls) {
  ASSIGN_OR_RETURN(std::vector<std::string> paths, FindMidiFiles(options.src));
  RETURN_IF_ERROR(MakeDirectories(options.dst));
  ASSIGN_OR_RETURN(const FileLock lock,
                   FileLock::Take(options.dst + "/.lock", absl::ZeroDuration(), clock));
  const std::string manifest = options.dst + "/" + kConvertManifestName;
  ASSIGN_OR_RETURN(auto earlier, ReadConvertManifest(manifest));
  RETURN_IF_ERROR(MendManifest(manifest, earlier));
  return ConvertRun(options, clock, calls, std::move(paths), std::move(earlier)).Run();
}

}  // namespace etude
