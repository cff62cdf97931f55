// `etude corpus fetch`: brings music from where it is published to a directory. The only outbound
// call of the client beside `etude fleet`.
#ifndef ETUDE_CLIENT_CORPUS_FETCH_H_
#define ETUDE_CLIENT_CORPUS_FETCH_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "client/fetched_tree.h"
#include "client/lakh_fetch.h"

namespace etude {

// Fetches `source` ("folk", "folk-full": ABC; "game-midi", "lakh-matched", "lakh-full": MIDI) into
// `dir`, with SOURCE.json beside the files. Runs programs of the system with fixed arguments, never
// through a shell. `dir` appears whole or not at all. `say` gets lines for the user, first what
// will be fetched. kInvalidArgument: unknown source, or options that it does not take.
// kAlreadyExists: dir holds something else. kNotFound: a program is missing. kUnavailable: the
// network failed, try again. kDeadlineExceeded: a program hung. kDataLoss: what came, or what lies
// in dir, is not what was expected.
absl::StatusOr<FetchReport> FetchCorpus(const std::string& source, const std::string& dir,
                                        const LakhOptions& options,
                                        const std::function<void(const std::string&)>& say);

}  // namespace etude

#endif  // ETUDE_CLIENT_CORPUS_FETCH_H_
