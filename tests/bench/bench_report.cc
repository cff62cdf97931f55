#include "tests/bench/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/bench/statistics.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kRow[] = "{:<28}{:>12}{:>12}{:>12}  {}\n";

const char* NameOf(Scale scale) { return scale == Scale::kFull ? "full" : "small"; }

std::vector<double> ValuesOf(const Outcome& outcome, std::size_t number) {
  std::vector<double> values;
  for (const Measurement& repeat : outcome.repeats) values.push_back(repeat[number].value);
  return values;
}

const Target* TargetOf(const Bench& bench, const std::string& key) {
  const auto found = std::find_if(bench.targets.begin(), bench.targets.end(),
                                  [&](const Target& target) { return key == target.key; });
  return found == bench.targets.end() ? nullptr : &*found;
}

bool IsMet(const Target& target, double value) {
  return target.kind == Target::Kind::kAtLeast ? value >= target.bound : value < target.bound;
}

const char* SignOf(const Target& target) {
  return target.kind == Target::Kind::kAtLeast ? ">=" : "<";
}

Json MachineJson(const BenchReport& report) {
  const MachineFacts& machine = report.machine;
  return {{"cpu", machine.cpu},
          {"cores", machine.cores},
          {"memory_gib", machine.memory_gib},
          {"kernel", machine.kernel},
          {"load_1m", machine.load_1m},
          {"file_system", report.file_system},
          {"fsync_p50_ms", report.fsync_p50_ms},
          {"fsync_p99_ms", report.fsync_p99_ms},
          {"fdatasync_p50_ms", report.fdatasync_p50_ms},
          {"fdatasync_p99_ms", report.fdatasync_p99_ms},
          {"software", report.software}};
}

Json MeasurementJson(const Measurement& measurement) {
  Json json = Json::object();
  for (const Number& number : measurement) json[number.key] = number.value;
  return json;
}

std::string ValueText(double value) {
  return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

std::string TargetText(const Bench& bench, const std::string& key, double value) {
  const Target* target = TargetOf(bench, key);
  if (target == nullptr) return "";
  return fmt::format("{} {}  {}", SignOf(*target), ValueText(target->bound),
                     IsMet(*target, value) ? "met" : "MISSED");
}

}  // namespace

std::string ReportJson(const BenchReport& report) {
  const Outcome& outcome = report.outcome;
  Json json = {{"format_version", "1.0"},
               {"bench", report.bench->name},
               {"scale", NameOf(report.scale)},
               {"machine", MachineJson(report)},
               {"repeats", outcome.repeats.size()},
               {"results", Json::object()},
               {"all", Json::array()},
               {"targets", Json::object()},
               {"notes", outcome.notes}};
  const Measurement& first = outcome.repeats.front();
  for (std::size_t i = 0; i < first.size(); ++i) {
    json["results"][first[i].key] = Median(ValuesOf(outcome, i));
  }
  for (const Measurement& repeat : outcome.repeats) json["all"].push_back(MeasurementJson(repeat));
  for (const Target& target : report.bench->targets) {
    json["targets"][target.key] = fmt::format("{} {}", SignOf(target), target.bound);
  }
  return json.dump(2) + "\n";
}

std::string ReportTable(const BenchReport& report) {
  const Outcome& outcome = report.outcome;
  const MachineFacts& machine = report.machine;
  std::string text = fmt::format(
      "{} at {} scale, {} repeats\n{}, {} cores, {:.0f} GiB, {}, load {:.1f}; {}, fsync p50 {:.2f} "
      "ms p99 {:.2f} ms, fdatasync p50 {:.2f} ms p99 {:.2f} ms; etude-coordinator {}\n\n",
      report.bench->name, NameOf(report.scale), outcome.repeats.size(), machine.cpu, machine.cores,
      machine.memory_gib, machine.kernel, machine.load_1m, report.file_system, report.fsync_p50_ms,
      report.fsync_p99_ms, report.fdatasync_p50_ms, report.fdatasync_p99_ms, report.software);
  text += fmt::format(kRow, "", "median", "least", "greatest", "target");
  const Measurement& first = outcome.repeats.front();
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::vector<double> values = ValuesOf(outcome, i);
    const double median = Median(values);
    text += fmt::format(kRow, first[i].key, ValueText(median),
                        ValueText(*std::min_element(values.begin(), values.end())),
                        ValueText(*std::max_element(values.begin(), values.end())),
                        TargetText(*report.bench, first[i].key, median));
  }
  for (const std::string& note : outcome.notes) text += "\n" + note + "\n";
  return text;
}

}  // namespace etude
