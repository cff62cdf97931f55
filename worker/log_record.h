// The payloads of points.log as bytes.
#ifndef ETUDE_WORKER_LOG_RECORD_H_
#define ETUDE_WORKER_LOG_RECORD_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "worker/points_log.h"

namespace etude {

// At most kMaxPointsPerRecord points.
std::string EncodePoints(std::span<const LossPoint> points);
std::string EncodeRecord(const CheckpointRecord& checkpoint);
std::string EncodeRecord(const DoneRecord& done);
std::string EncodeRecord(const NumericsRecord& numerics);

// kInvalidArgument: not what the encoders write; unknown keys and types included.
absl::StatusOr<LogRecord> DecodeRecord(std::string_view payload);

}  // namespace etude

#endif  // ETUDE_WORKER_LOG_RECORD_H_
