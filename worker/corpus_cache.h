// STATE/corpora/ID: the corpora this worker has trained on, fetched by hash.
#ifndef ETUDE_WORKER_CORPUS_CACHE_H_
#define ETUDE_WORKER_CORPUS_CACHE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/scaling/corpus.h"
#include "worker/backoff.h"
#include "worker/event.h"

namespace etude {

// Beyond it, the corpora that were not used for longest go.
inline constexpr std::size_t kMaxCachedCorpora = 16;
inline constexpr int kMaxDownloadTries = 5;  // after errors that should not happen twice

// Not thread-safe. `transport` and `next_call` must outlive it.
class CorpusCache {
 public:
  CorpusCache(std::string state_dir, Transport& transport, CallId& next_call, std::uint64_t seed);

  std::string Dir(const CorpusId& corpus) const;
  // True once every file is here and its hash has been checked by this process; until then false,
  // and fetching goes on with each call. An error ends it; the next call begins again.
  // kNotFound: the coordinator does not have the corpus.
  absl::StatusOr<bool> Prepare(const Corpus& corpus, absl::Time now);
  // True if the event was an answer to one of its calls.
  bool Handle(const Event& event, absl::Time now);
  // The files are damaged, it seems: look again before the next use.
  void Distrust(const CorpusId& corpus) { entries_.erase(corpus); }

 private:
  struct Entry {
    std::size_t files = 0;  // that are here
    CallId call = 0;
    absl::Time retry_at = absl::InfinitePast();
    int tries = 0;
    absl::Status failure = absl::OkStatus();
    Backoff backoff;
  };
  absl::Status Fetch(const Corpus& corpus, Entry& entry);
  void RemoveOld();

  std::string state_dir_;
  Transport& transport_;
  CallId& next_call_;
  std::uint64_t seed_;
  std::map<CorpusId, Entry> entries_;
};

}  // namespace etude

#endif  // ETUDE_WORKER_CORPUS_CACHE_H_
