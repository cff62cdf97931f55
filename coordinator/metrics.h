// Numbers that many threads add to and a scrape reads, and the text in which Prometheus reads them
// (its exposition format 0.0.4).
#ifndef ETUDE_COORDINATOR_METRICS_H_
#define ETUDE_COORDINATOR_METRICS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etude {

// Only rises. Thread-safe, and never waits.
class Counter {
 public:
  void Add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// How many observations were at most each bound, and their sum. Thread-safe, and never waits.
class Histogram {
 public:
  // `bounds` rise; what is above the last of them counts too.
  explicit Histogram(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void Observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  // One more than there are bounds, each counting what those before it do; the last is all.
  std::vector<std::uint64_t> Cumulative() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_ = 0;
};

// Builds the text: a family's name, kind and help once, then its samples. Not thread-safe.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  void BeginCounter(std::string_view name, std::string_view help);  // the name ends in _total
  void BeginGauge(std::string_view name, std::string_view help);
  // Of the family begun last. Label values may be any UTF-8.
  void Add(double value, const Labels& labels = {});
  void AddHistogram(std::string_view name, std::string_view help, const Histogram& histogram);

  const std::string& text() const { return text_; }

 private:
  void Begin(std::string_view name, std::string_view kind, std::string_view help);
  void AddLine(std::string_view suffix, double value, const Labels& labels);

  std::string text_;
  std::string family_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_METRICS_H_
