#include "worker/corpus_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "worker/checkpoint_uploads.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kFirstRetry = absl::Milliseconds(500);
constexpr absl::Duration kLongestRetry = absl::Seconds(10);

}  // namespace

CorpusCache::CorpusCache(std::string state_dir, Transport& transport, CallId& next_call,
                         std::uint64_t seed)
    : state_dir_(std::move(state_dir)), transport_(transport), next_call_(next_call), seed_(seed) {}

std::string CorpusCache::Dir(const CorpusId& corpus) const {
  return state_dir_ + "/corpora/" + corpus.text();
}

absl::StatusOr<bool> CorpusCache::Prepare(const Corpus& corpus, absl::Time now) {
  if (!IsSafeFileName(corpus.id.text())) {
    return InvalidArgument("corpus id '" + corpus.id.text() + "' is no file name");
  }
  const auto found =
      entries_.try_emplace(corpus.id, Entry{.backoff = {kFirstRetry, kLongestRetry, seed_}}).first;
  Entry& entry = found->second;
  if (!entry.failure.ok()) {
    const absl::Status failure = entry.failure;
    entries_.erase(found);
    return Annotate(failure, "corpus " + corpus.id.Short());
  }
  if (entry.files == corpus.files.size()) return true;
  if (entry.call == 0 && now >= entry.retry_at) RETURN_IF_ERROR(Fetch(corpus, entry));
  return false;
}

absl::Status CorpusCache::Fetch(const Corpus& corpus, Entry& entry) {
  const ArtifactFile& file = corpus.files[entry.files];
  if (!IsSafeFileName(file.name)) {
    return InvalidArgument("corpus file '" + file.name + "' is no file name");
  }
  if (entry.files == 0) {
    RETURN_IF_ERROR(MakeDirectories(Dir(corpus.id)));
    utimensat(AT_FDCWD, Dir(corpus.id).c_str(), nullptr, 0);  // used last now
    RemoveOld();
  }
  entry.call = next_call_++;
  transport_.Download(entry.call, file, Dir(corpus.id) + "/" + file.name);
  return absl::OkStatus();
}

bool CorpusCache::Handle(const Event& event, absl::Time now) {
  const auto* downloaded = std::get_if<Downloaded>(&event);
  if (downloaded == nullptr) return false;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& item) {
    return item.second.call == downloaded->call;
  });
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  entry.call = 0;
  const absl::Status& status = downloaded->status;
  if (status.ok()) {
    ++entry.files;
    entry.tries = 0;
    entry.backoff.Reset();
    return true;
  }
  LogWarning("corpus " + found->first.Short() + ": " + MessageOf(status));
  const bool away = status.code() == absl::StatusCode::kUnavailable ||
                    status.code() == absl::StatusCode::kDeadlineExceeded;
  const bool again = IsTransient(status) || status.code() == absl::StatusCode::kDataLoss;
  if (away || (again && ++entry.tries < kMaxDownloadTries)) {
    entry.retry_at = now + entry.backoff.Next();
  } else {
    entry.failure = status;
  }
  return true;
}

void CorpusCache::RemoveOld() {
  std::vector<std::pair<fs::file_time_type, fs::path>> unused;
  std::size_t used = 0;
  std::error_code error;
  for (fs::directory_iterator it(state_dir_ + "/corpora", error), end; !error && it != end;
       it.increment(error)) {
    if (entries_.contains(CorpusId(it->path().filename().string()))) {
      ++used;
    } else {
      unused.emplace_back(fs::last_write_time(it->path(), error), it->path());
    }
  }
  std::sort(unused.begin(), unused.end());
  for (std::size_t i = 0; i < unused.size() && unused.size() - i + used > kMaxCachedCorpora; ++i) {
    fs::remove_all(unused[i].second, error);
  }
}

}  // namespace etude
