// A tree of MIDI files to a tree of ABC files. Goes on where it stopped, whatever stopped it.
#ifndef ETUDE_CLIENT_CORPUS_CONVERT_H_
#define ETUDE_CLIENT_CORPUS_CONVERT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/convert_manifest.h"
#include "lib/base/clock.h"
#include "lib/music/midi_convert.h"

namespace etude {

inline constexpr int kMaxConvertJobs = 256;

struct CorpusConvertOptions {
  std::string src;  // a directory, or one file
  std::string dst;  // below which PATH.abc stands for each PATH below src
  int jobs = 1;
  MidiConvertOptions convert;
};

// What was done so far, or in all.
struct CorpusConvertCounts {
  std::int64_t files = 0;   // found
  std::int64_t done = 0;    // files with a line in the manifest
  std::int64_t reused = 0;  // of those, found finished
  std::int64_t notes_in = 0;
  std::int64_t notes_out = 0;
  std::int64_t performed = 0;
  std::int64_t abc_bytes = 0;
  std::map<std::pair<ConvertStatus, std::string>, std::int64_t> outcomes;  // by reason
  std::vector<double> f1;  // of each text, pitched notes
  std::vector<double> drum_f1;
  std::vector<double> duration_f1;

  std::int64_t With(ConvertStatus status) const;
};

struct CorpusConvertCalls {
  std::function<bool()> stopped;  // asked by every worker before each file; thread-safe
  std::function<void(const CorpusConvertCounts&)> on_progress;  // on the calling thread
};

// Converts what a MIDI file's name (.mid, .midi, .rmi, .kar) or first bytes ("MThd", RIFF of RMID)
// promise, in `jobs` threads, each holding one file. DST/manifest.ndjson gets a line when a file is
// finished; in the end it is written anew, a line a file in the order of their paths. A file whose
// line has its hash and the same recipe, and whose text is there, is not converted again. Of equal
// files the first in order is converted. Apart from `ms`, equal trees and options give equal bytes
// in DST, whatever `jobs` is and however often it was stopped.
//
// A file that cannot be read or converted gets a line that says why. kCancelled: `stopped` said so;
// call again to go on. kNotFound: no such SRC, or no MIDI files there. kUnavailable: another
// process converts to DST. Errors of writing DST end it: kResourceExhausted, kPermissionDenied.
absl::StatusOr<CorpusConvertCounts> ConvertCorpus(const CorpusConvertOptions& options, Clock& clock,
                                                  const CorpusConvertCalls& calls);

}  // namespace etude

#endif  // ETUDE_CLIENT_CORPUS_CONVERT_H_
