#include "coordinator/log_intake.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/status.h"

namespace etude {

LogIntake::LogIntake(AttemptLogs& logs) : logs_(logs), thread_([this] { Run(); }) {}

LogIntake::~LogIntake() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.SignalAll();
  thread_.join();
  const MutexLock lock(mutex_);
  for (const Item& item : waiting_) {
    if (item.done) {
      item.done(Unavailable("the coordinator is stopping; send it again"));
    } else {
      logs_.Remove(item.text.job, item.text.attempt);  // nobody would ask again
    }
  }
}

void LogIntake::Take(Text text, const Done& done) {
  {
    const MutexLock lock(mutex_);
    if (!stopping_ && waiting_.size() < kMaxWaitingLogTexts) {
      waiting_.push_back({std::move(text), done});
      changed_.SignalAll();
      return;
    }
  }
  done(ResourceExhausted(
      fmt::format("{} texts of logs wait to be written; retry after 1 s", kMaxWaitingLogTexts)));
}

// Takes no text's place, and is not refused: there is one for each attempt at most.
void LogIntake::Forget(const JobId& job, int attempt) {
  const MutexLock lock(mutex_);
  waiting_.push_back({{job, attempt, 0, ""}, nullptr});
  changed_.SignalAll();
}

void LogIntake::Run() {
  while (true) {
    Item item;
    {
      const MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      item = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const Text& text = item.text;
    if (item.done) {
      item.done(logs_.Append(text.job, text.attempt, text.offset, text.text));
    } else {
      logs_.Remove(text.job, text.attempt);
    }
  }
}

}  // namespace etude
