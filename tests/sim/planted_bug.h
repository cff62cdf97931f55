// Bugs that a simulated world can be given, each in one of its stand-ins, to see that the oracle
// finds them.
#ifndef ETUDE_TESTS_SIM_PLANTED_BUG_H_
#define ETUDE_TESTS_SIM_PLANTED_BUG_H_

#include <string_view>

namespace etude {

enum class PlantedBug {
  kNone,
  // The coordinator's stand-in.
  kRepliesBeforeCommit,      // answers as soon as it has decided
  kRepliesBeforeSync,        // answers once the batch is written, not once it is durable
  kAcknowledgesRefused,      // answers a batch that the store refused as if it had taken it
  kForgetsRebuild,           // goes on with its memory after a failed commit
  kAnswersFromStaleMemory,   // answers heartbeats from it until the store can be read again
  kAcceptsStalePoints,       // takes the points of an attempt that is over, and so does the store
  kAcceptsAnyFinish,         // does not look at the attempt's number in Finish
  kAcceptsEndTwice,          // takes the result of a success that is repeated
  kAcceptsEarlyCheckpoints,  // commits a resume checkpoint before its points
  kForgetsRenewals,          // answers heartbeats without renewing leases
  kKeepsSuperseded,          // tells a worker to keep an attempt that is over
  kLeasesTwice,              // gives an idle worker what another one holds
  kEndsLeasesAtRestart,      // a restart finds every lease expired
  kNeverTicks,               // no lease ever ends
  kForgetsPauses,            // a restart goes on with paused sweeps
  kReusesAttemptNumbers,     // a restart forgets the newest attempt of queued jobs
  kForgetsDeletedRuns,       // a restart numbers the attempts of deleted runs from 1 again
  kCancelsFinishedRuns,      // cancelling a sweep cancels what has succeeded
  kResumesTooFar,            // an attempt starts one step after its checkpoint
  kLeasesHeldOut,            // trains held-out runs before they are predicted
  // The store's decorator.
  kKeepsLaterPoints,     // a new attempt leaves what earlier ones reported after its start
  kKeepsRepeatedPoints,  // a point reported twice is two points
  kForgetsCheckpoints,   // the newest checkpoint is dropped
  kTearsBatches,         // a crash leaves half a batch behind
  // The transport's stand-in.
  kAcknowledgesByItself,  // points count as acknowledged when they are sent
  kNeverResends,          // what was sent on a stream that broke is not sent again
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_PLANTED_BUG_H_
