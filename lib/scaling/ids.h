// Identities are types, so that a job's cannot be handed over where a run's is asked for.
#ifndef ETUDE_LIB_SCALING_IDS_H_
#define ETUDE_LIB_SCALING_IDS_H_

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace etude {

template <typename Noun>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  // The first 12 characters: what tables show; commands accept any unambiguous prefix.
  std::string Short() const { return text_.substr(0, 12); }
  friend auto operator<=>(const Id&, const Id&) = default;
  friend bool operator==(const Id&, const Id&) = default;

 private:
  std::string text_;
};

using CorpusId = Id<struct CorpusNoun>;  // SHA-256 of the manifest, 64 hex digits
using SweepId = Id<struct SweepNoun>;    // SHA-256 of the resolved spec, 64 hex digits
using RunKey = Id<struct RunNoun>;       // SHA-256 of the run's canonical JSON, 64 hex digits
using JobId = Id<struct JobNoun>;        // RUN_KEY "." ordinal of the segment it was made for
using WorkerId = Id<struct WorkerNoun>;  // chosen by the worker, kept in its state directory

}  // namespace etude

template <typename Noun>
struct std::hash<etude::Id<Noun>> {
  std::size_t operator()(const etude::Id<Noun>& id) const {
    return std::hash<std::string>()(id.text());
  }
};

#endif  // ETUDE_LIB_SCALING_IDS_H_
