#include "storage/run_curve.h"

#include <algorithm>
#include <tuple>

#include "lib/base/status.h"

namespace etude {
namespace {

struct FoundPoint {
  LossPoint point;
  int attempt = 0;
};

bool StepOrder(const FoundPoint& a, const FoundPoint& b) {
  return std::tuple(a.point.step, a.point.series, -a.attempt) <
         std::tuple(b.point.step, b.point.series, -b.attempt);
}

bool SamePlace(const FoundPoint& a, const FoundPoint& b) {
  return a.point.step == b.point.step && a.point.series == b.point.series;
}

constexpr char kSelectPoints[] =
    "SELECT step, value FROM loss_points WHERE job = ? AND attempt = ? AND series = ? "
    "AND step > ? AND step <= ? ORDER BY step LIMIT ?";

// Adds the first `limit` points of each series: enough, since each series has one point a step.
absl::Status FindPoints(Database& database, const PathPart& part, const std::vector<Series>& series,
                        std::int64_t after_step, int limit, std::vector<FoundPoint>& found) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectPoints));
  for (const Series one : series) {
    rows.Bind(part.job, part.attempt, static_cast<int>(one), std::max(part.from, after_step),
              part.to, limit);
    for (;;) {
      ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) break;
      found.push_back({{one, rows.Integer(0), rows.Real(1)}, part.attempt});
    }
  }
  return absl::OkStatus();
}

// Cuts to `limit` points and those that share the last one's step.
void CutAfter(std::vector<LossPoint>& points, int limit) {
  if (points.size() <= static_cast<std::size_t>(limit)) return;
  const std::int64_t last = points[static_cast<std::size_t>(limit) - 1].step;
  const auto end = std::find_if(points.begin() + limit, points.end(),
                                [last](const LossPoint& point) { return point.step != last; });
  points.erase(end, points.end());
}

}  // namespace

constexpr char kSelectPath[] =
    "SELECT s.ordinal, s.job, a.number, s.from_step, s.to_step "
    "FROM segments s JOIN attempts a ON a.job = s.job WHERE s.run = ? "
    "ORDER BY s.ordinal, a.number";

absl::StatusOr<std::vector<PathPart>> PathOf(Database& database, const RunKey& run) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectPath));
  rows.Bind(run.text());
  std::vector<PathPart> path;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return path;
    path.push_back({.ordinal = rows.Int(0),
                    .job = rows.Integer(1),
                    .attempt = rows.Int(2),
                    .from = rows.Integer(3),
                    .to = rows.Integer(4)});
  }
}

constexpr char kSelectLastPoint[] =
    "SELECT step, value FROM loss_points WHERE job = ? AND attempt = ? AND series = ? "
    "AND step > ? AND step <= ? ORDER BY step DESC LIMIT 1";

absl::StatusOr<std::optional<LossPoint>> LastPoint(Database& database,
                                                   const std::vector<PathPart>& path,
                                                   Series series) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare(kSelectLastPoint));
  for (auto part = path.rbegin(); part != path.rend(); ++part) {
    row.Bind(part->job, part->attempt, static_cast<int>(series), part->from, part->to);
    ASSIGN_OR_RETURN(const bool found, row.Next());
    if (found) return LossPoint{series, row.Integer(0), row.Real(1)};
  }
  return std::optional<LossPoint>();
}

absl::StatusOr<std::vector<LossPoint>> CurveOf(Database& database,
                                               const std::vector<PathPart>& path,
                                               const std::vector<Series>& series,
                                               std::int64_t after_step, int limit) {
  std::vector<LossPoint> points;
  for (auto part = path.begin(); part != path.end();) {
    const int ordinal = part->ordinal;
    std::vector<FoundPoint> found;
    for (; part != path.end() && part->ordinal == ordinal; ++part) {
      if (part->to <= after_step) continue;
      RETURN_IF_ERROR(FindPoints(database, *part, series, after_step, limit, found));
    }
    std::sort(found.begin(), found.end(), StepOrder);
    found.erase(std::unique(found.begin(), found.end(), SamePlace), found.end());
    for (const FoundPoint& one : found) points.push_back(one.point);
    if (points.size() >= static_cast<std::size_t>(limit)) break;
  }
  CutAfter(points, limit);
  return points;
}

std::vector<Series> OpenSeries() {
  std::vector<Series> series;
  for (int number = 1; const std::optional<Series> one = SeriesFromNumber(number); ++number) {
    if (*one != Series::kTest) series.push_back(*one);
  }
  return series;
}

}  // namespace etude
