#include "client/signals.h"

#include <csignal>
#include <ctime>
#include <utility>

namespace etude {
namespace {

constexpr long kListenNanoseconds = 50'000'000;

sigset_t Watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Signals::Signals() {
  const sigset_t set = Watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::jthread([this](const std::stop_token& stop) { Listen(stop); });
}

Signals::~Signals() {
  thread_.request_stop();
  thread_.join();
  const sigset_t set = Watched();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Signals::Listen(const std::stop_token& stop) {
  const sigset_t set = Watched();
  const timespec limit{0, kListenNanoseconds};
  while (!stop.stop_requested()) {
    if (sigtimedwait(&set, nullptr, &limit) < 0) continue;
    const absl::MutexLock lock(&mutex_);
    ++count_;
    if (react_) react_();
  }
}

bool Signals::WaitFor(absl::Duration limit, int count) {
  const absl::MutexLock lock(&mutex_);
  const auto reached = [this, count] { return count_.load() >= count; };
  return mutex_.AwaitWithTimeout(absl::Condition(&reached), limit);
}

void Signals::OnSignal(std::function<void()> react) {
  const absl::MutexLock lock(&mutex_);
  react_ = std::move(react);
  if (react_ && count_ > 0) react_();
}

}  // namespace etude
