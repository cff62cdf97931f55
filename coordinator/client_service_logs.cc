// The logs of a run's attempts: from the blob store once they are over, before that what has come.
#include <fmt/format.h>

#include <algorithm>

#include "coordinator/client_service.h"
#include "coordinator/seat.h"
#include "lib/base/status.h"
#include "proto/convert.h"

namespace etude {
namespace {

constexpr std::int64_t kMaxLogPartBytes = std::int64_t{256} << 10;  // of one message

const ArtifactFile* FindLog(const std::vector<ArtifactFile>& artifacts) {
  const auto found = std::find_if(artifacts.begin(), artifacts.end(), [](const ArtifactFile& file) {
    return file.name.ends_with(".log");
  });
  return found == artifacts.end() ? nullptr : &*found;
}

// Both count from the beginning of the same file, so one goes on where the other ended.
absl::StatusOr<AttemptLogs::Part> ReadPart(BlobStore& blobs, AttemptLogs& logs,
                                           const ResultsReader::AttemptRow& row,
                                           std::int64_t offset) {
  if (const ArtifactFile* log = FindLog(row.artifacts)) {
    ASSIGN_OR_RETURN(std::string text, blobs.Read(log->sha256, offset, kMaxLogPartBytes));
    return AttemptLogs::Part{offset, std::move(text)};
  }
  return logs.Read(row.attempt.job, row.attempt.number, offset, kMaxLogPartBytes);
}

// What one call sends, and how far it has come.
class LogStream {
 public:
  LogStream(BlobStore& blobs, AttemptLogs& logs, std::int64_t offset,
            grpc::ServerWriter<v1::TailLogResponse>& writer)
      : blobs_(blobs), logs_(logs), offset_(offset), writer_(writer) {}

  // Everything there is now.
  absl::Status Send(const ResultsReader::AttemptRow& row) {
    while (true) {
      ASSIGN_OR_RETURN(AttemptLogs::Part part, ReadPart(blobs_, logs_, row, offset_));
      if (part.text.empty() && begun_) return absl::OkStatus();
      v1::TailLogResponse response;
      if (!begun_) *response.mutable_attempt() = ToWire(row.attempt);
      begun_ = true;
      offset_ = part.offset + static_cast<std::int64_t>(part.text.size());
      response.set_offset(part.offset);
      response.set_text(std::move(part.text));
      if (!writer_.Write(response)) return Cancelled("the reader of the log has gone");
    }
  }

 private:
  BlobStore& blobs_;
  AttemptLogs& logs_;
  std::int64_t offset_;
  grpc::ServerWriter<v1::TailLogResponse>& writer_;
  bool begun_ = false;
};

}  // namespace

grpc::Status ClientService::TailLog(grpc::ServerContext* context, const v1::TailLogRequest* request,
                                    grpc::ServerWriter<v1::TailLogResponse>* writer) {
  return Serve(*context, "TailLog", [&] { return Tail(*context, *request, *writer); });
}

absl::Status ClientService::Tail(const grpc::ServerContext& context,
                                 const v1::TailLogRequest& request,
                                 grpc::ServerWriter<v1::TailLogResponse>& writer) {
  const Seat seat(log_readers_);
  if (!seat.IsWithin(kMaxLogReaders)) {
    return ResourceExhausted(
        fmt::format("{} logs are being followed; close one, or ask now and "
                    "then: etude run logs {}",
                    kMaxLogReaders, request.run()));
  }
  if (request.ordinal() < 1 || request.offset() < 0) {
    return InvalidArgument("ordinal: from 1 on; offset: from 0 on");
  }
  ASSIGN_OR_RETURN(const RunKey run, RunNamed(request.run()));
  LogStream stream(parts_.blobs, parts_.logs, request.offset(), writer);
  while (!context.IsCancelled()) {
    ASSIGN_OR_RETURN(const RunStanding standing, parts_.reader.Standing(run));
    ASSIGN_OR_RETURN(const auto attempts, parts_.reader.AttemptsOf(run));
    const bool begun = request.ordinal() <= static_cast<int>(attempts.size());
    bool over = IsTerminal(standing.run.state);
    if (begun) {
      const ResultsReader::AttemptRow& row =
          attempts[static_cast<std::size_t>(request.ordinal()) - 1];
      RETURN_IF_ERROR(stream.Send(row));
      over = row.attempt.outcome.has_value();
    }
    if (over || !request.follow()) return absl::OkStatus();
    if (parts_.core.AwaitStop(kTailInterval)) {
      return Unavailable("the coordinator is stopping; follow again once it is back");
    }
  }
  return Cancelled("the reader of the log has gone");
}

}  // namespace etude
