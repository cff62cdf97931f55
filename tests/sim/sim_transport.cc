#include "tests/sim/sim_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kControlDeadline = absl::Seconds(5);  // as proto/channel.h's
constexpr absl::Duration kTransferDeadline = absl::Seconds(20);
constexpr absl::Duration kLongPollSlack = absl::Seconds(5);

std::vector<HeldAttempt> HeldOf(const std::vector<Transport::Held>& held) {
  std::vector<HeldAttempt> all;
  for (const Transport::Held& one : held) {
    all.push_back({one.job, one.attempt, one.step, one.local_step});
  }
  return all;
}

Transport::Action ActionOf(Action action) {
  switch (action) {
    case Action::kKeep:
      return Transport::Action::kKeep;
    case Action::kCancel:
      return Transport::Action::kCancel;
    case Action::kCheckpoint:
      return Transport::Action::kCheckpoint;
    case Action::kRelease:
      return Transport::Action::kRelease;
    case Action::kSuperseded:
      return Transport::Action::kSuperseded;
  }
  return Transport::Action::kKeep;
}

std::vector<Transport::Directive> DirectivesOf(const std::vector<Directive>& directives) {
  std::vector<Transport::Directive> all;
  for (const Directive& one : directives) {
    all.push_back({one.job, one.attempt, ActionOf(one.action)});
  }
  return all;
}

Transport::Acquisition AcquisitionOf(const Scheduler::Acquired& acquired) {
  Transport::Acquisition acquisition{std::nullopt, acquired.reason};
  if (!acquired.assignment) return acquisition;
  const Assignment& from = *acquired.assignment;
  acquisition.assignment = Transport::Assignment{.job = from.job,
                                                 .attempt = from.attempt,
                                                 .run = from.run,
                                                 .config = from.config,
                                                 .to = from.to,
                                                 .corpus = from.corpus,
                                                 .start_step = from.start_step,
                                                 .local_attempt = from.local_attempt,
                                                 .checkpoint = from.checkpoint,
                                                 .branch_steps = from.branch_steps};
  return acquisition;
}

FinishedAttempt FinishedOf(const WorkerId& worker, const Transport::Ending& ending) {
  return {.worker = worker,
          .job = ending.job,
          .attempt = ending.attempt,
          .outcome = ending.outcome,
          .reason = ending.reason,
          .result = ending.result,
          .local_step = ending.local_step,
          .numerics = ending.numerics,
          .artifacts = ending.artifacts};
}

// As coordinator/blob_check.h.
absl::Status CheckComplete(const Blobs& blobs, const std::vector<ArtifactFile>& files) {
  for (const ArtifactFile& file : files) {
    const auto blob = blobs.find(file.sha256);
    if (blob == blobs.end() || static_cast<std::int64_t>(blob->second.size()) != file.bytes) {
      return InvalidArgument("file " + file.name + " is not in the blob store; upload it first");
    }
  }
  return absl::OkStatus();
}

std::string CodeOf(const absl::Status& status) {
  return status.ok() ? "ok" : absl::StatusCodeToString(status.code());
}

}  // namespace

SimTransport::SimTransport(const Wire& wire, int link, const Dice& dice, Deliver deliver)
    : wire_(wire),
      link_(link),
      dice_(dice),
      deliver_(std::move(deliver)),
      calls_(wire.timeline, wire.network, link) {}

SimTransport::~SimTransport() {
  if (stream_ != nullptr) stream_->Abandon();
}

void SimTransport::Note(const std::string& line) const {
  wire_.trace.Note(fmt::format("w{}: {}", link_, line));
}

void SimTransport::Break() {
  calls_.Break();
  if (stream_ != nullptr) stream_->Break();
}

// Registration, heartbeats, leases.

void SimTransport::Register(CallId call, const Worker& worker, const std::vector<Held>& held) {
  Note(fmt::format("register with {} held", held.size()));
  held_ = held.size();
  calls_.Call<SimCoordinator::Directives>(
      kControlDeadline,
      [&coordinator = wire_.coordinator, worker, held = HeldOf(held)](const auto& done) {
        coordinator.Register(worker, held, done);
      },
      [this, call](const SimCoordinator::Directives& directives) {
        Note("registered: " + CodeOf(directives.status()));
        if (!directives.ok()) return deliver_(RegisterAnswered{call, directives.status()});
        deliver_(RegisterAnswered{
            call, Registration{wire_.options.heartbeat, wire_.options.idle_heartbeat(),
                               DirectivesOf(*directives)}});
      });
}

void SimTransport::Heartbeat(CallId call, const WorkerId& worker, const std::vector<Held>& held,
                             bool draining) {
  held_ = held.size();
  calls_.Call<SimCoordinator::HeartbeatReply>(
      kControlDeadline,
      [&coordinator = wire_.coordinator, worker, held = HeldOf(held), draining](const auto& done) {
        coordinator.Heartbeat(worker, held, draining, done);
      },
      [this, call](const SimCoordinator::HeartbeatReply& reply) {
        Note("heartbeat: " + CodeOf(reply.status()));
        if (!reply.ok()) return deliver_(HeartbeatAnswered{call, reply.status()});
        deliver_(HeartbeatAnswered{call,
                                   HeartbeatAnswer{DirectivesOf(reply->directives), reply->drain}});
      });
}

void SimTransport::Acquire(CallId call, const WorkerId& worker, int slot, absl::Duration wait) {
  Note(fmt::format("acquire for slot {}", slot));
  const Polled& poll = polls_.emplace(call, Polled{slot}).first->second;
  calls_.Call<absl::StatusOr<Scheduler::Acquired>>(
      wait + kLongPollSlack,
      [&coordinator = wire_.coordinator, worker, slot, wait, gone = poll.gone](const auto& done) {
        coordinator.Acquire({worker, slot, wait, gone}, done);
      },
      [this, call](const absl::StatusOr<Scheduler::Acquired>& acquired) {
        if (acquired.ok()) return EndPoll(call, AcquisitionOf(*acquired));
        EndPoll(call, acquired.status());
      });
}

// Once nobody waits for the answer, the coordinator hears so, as gRPC's cancellation tells it.
void SimTransport::EndPoll(CallId call, const absl::StatusOr<Acquisition>& answer) {
  const auto found = polls_.find(call);
  if (found == polls_.end()) return;
  const Polled poll = found->second;
  polls_.erase(found);
  if (!answer.ok()) wire_.network.Send(link_, Way::kUp, [gone = poll.gone] { *gone = true; });
  const bool leased = answer.ok() && answer->assignment.has_value();
  Note(fmt::format("slot {}: {}", poll.slot,
                   leased ? fmt::format("{}#{} from {}", JobName(answer->assignment->job),
                                        answer->assignment->attempt, answer->assignment->start_step)
                          : "no job: " + CodeOf(answer.status())));
  deliver_(AcquireAnswered{call, poll.slot, answer});
}

void SimTransport::StopAcquiring() {
  for (const auto& [call, poll] : polls_) {
    calls_.After(dice_.Between(absl::ZeroDuration(), absl::Milliseconds(5)),
                 [this, call = call] { EndPoll(call, Cancelled("stopped")); });
  }
}

// Points.

void SimTransport::OpenReport(CallId stream) {
  Note("opens a stream");
  stream_ = std::make_shared<PointStream>(stream, link_, wire_.timeline, wire_.network,
                                          wire_.coordinator, dice_.Split(), deliver_);
}

void SimTransport::Report(CallId stream, const PointsBatch& batch) {
  Note(fmt::format("reports {} points of {}#{}", batch.points.size(), JobName(batch.job),
                   batch.attempt));
  if (wire_.bug == PlantedBug::kNeverResends && IsResent(batch)) return Forge(stream, batch);
  if (wire_.bug == PlantedBug::kAcknowledgesByItself ||
      wire_.bug == PlantedBug::kAcceptsEarlyCheckpoints) {
    Forge(stream, batch);
  }
  if (stream_ != nullptr && stream_->id() == stream) stream_->Send(batch);
}

void SimTransport::CloseReport(CallId stream) {
  if (stream_ != nullptr && stream_->id() == stream) stream_->Cancel();
}

void SimTransport::Forge(CallId stream, const PointsBatch& batch) {
  calls_.After(absl::ZeroDuration(), [this, stream, sequence = batch.sequence] {
    deliver_(ReportAcknowledged{stream, sequence, {}});
  });
}

bool SimTransport::IsResent(const PointsBatch& batch) {
  const std::int64_t step = batch.points.empty() ? 0 : batch.points.front().step;
  return !sent_.emplace(batch.job, batch.attempt, step).second;
}

// The rest of an attempt.

void SimTransport::CommitCheckpoint(CallId call, const WorkerId& worker,
                                    const Checkpoint& checkpoint) {
  Note(fmt::format("{} checkpoint {} of {}#{}", CheckpointKindName(checkpoint.kind),
                   checkpoint.step, JobName(checkpoint.job), checkpoint.attempt));
  calls_.Call<absl::Status>(
      kControlDeadline,
      [wire = wire_, worker, checkpoint](const auto& done) {
        const absl::Status complete = CheckComplete(wire.blobs, checkpoint.files);
        if (!complete.ok()) return done(complete);
        wire.coordinator.CommitCheckpoint(worker, checkpoint, done);
      },
      [this, call](const absl::Status& status) {
        Note("checkpoint: " + CodeOf(status));
        deliver_(CheckpointCommitted{call, status});
      });
}

void SimTransport::Finish(CallId call, const WorkerId& worker, const Ending& ending) {
  Note(fmt::format("finish {}#{}: {}", JobName(ending.job), ending.attempt,
                   JobOutcomeName(ending.outcome)));
  calls_.Call<absl::Status>(
      kControlDeadline,
      [wire = wire_, end = FinishedOf(worker, ending)](const auto& done) {
        const absl::Status complete = CheckComplete(wire.blobs, end.artifacts);
        if (!complete.ok()) return done(complete);
        wire.coordinator.Finish(end, done);
      },
      [this, call](const absl::Status& status) {
        Note("finish: " + CodeOf(status));
        deliver_(FinishAnswered{call, status});
      });
}

// The text itself goes nowhere: nothing depends on it.
void SimTransport::ShipLog(CallId call, const WorkerId& worker, const LogText& text) {
  const auto end = text.offset + static_cast<std::int64_t>(text.text.size());
  calls_.Call<absl::Status>(
      kControlDeadline,
      [&coordinator = wire_.coordinator, worker, job = text.job, attempt = text.attempt](
          const auto& done) { coordinator.CheckHeld(worker, job, attempt, done); },
      [this, call, end](const absl::Status& status) {
        if (!status.ok()) return deliver_(LogShipped{call, status});
        deliver_(LogShipped{call, end});
      });
}

void SimTransport::Upload(CallId call, const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) {
    return calls_.After(absl::Milliseconds(1), [this, call, bytes] {
      deliver_(Uploaded{call, bytes.status()});
    });
  }
  const ArtifactFile file{std::filesystem::path(path).filename(), Sha256Hex(*bytes),
                          static_cast<std::int64_t>(bytes->size())};
  calls_.Call<absl::StatusOr<ArtifactFile>>(
      kTransferDeadline,
      [wire = wire_, file, bytes = *bytes](const auto& done) {
        if (!wire.coordinator.running()) return done(Unavailable("connection refused"));
        if (wire.coordinator.disk_full()) return done(ResourceExhausted("planned: no room"));
        wire.blobs[file.sha256] = bytes;
        done(file);
      },
      [this, call](const absl::StatusOr<ArtifactFile>& sent) {
        deliver_(Uploaded{call, sent});
      });
}

void SimTransport::Download(CallId call, const ArtifactFile& file, const std::string& path) {
  const absl::StatusOr<std::string> there = ReadFile(path);
  if (there.ok() && Sha256Hex(*there) == file.sha256) {
    return calls_.After(absl::Milliseconds(1), [this, call] {
      deliver_(Downloaded{call, absl::OkStatus()});
    });
  }
  calls_.Call<absl::StatusOr<std::string>>(
      kTransferDeadline,
      [wire = wire_, sha256 = file.sha256](const auto& done) {
        if (!wire.coordinator.running()) return done(Unavailable("connection refused"));
        const auto blob = wire.blobs.find(sha256);
        if (blob == wire.blobs.end()) return done(NotFound("no such blob"));
        done(blob->second);
      },
      [this, call, path](const absl::StatusOr<std::string>& bytes) {
        const absl::Status status = bytes.ok() ? WriteFileAtomically(path, *bytes) : bytes.status();
        deliver_(Downloaded{call, status});
      });
}

}  // namespace etude
