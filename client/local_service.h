// A coordinator and workers as children of this process.
#ifndef ETUDE_CLIENT_LOCAL_SERVICE_H_
#define ETUDE_CLIENT_LOCAL_SERVICE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/child_process.h"
#include "client/signals.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace etude {

inline constexpr absl::Duration kServiceStartLimit = absl::Seconds(30);
inline constexpr absl::Duration kDrainLimit = absl::Seconds(12);  // workers promise 10 s
inline constexpr absl::Duration kCoordinatorStopLimit = absl::Seconds(12);
inline constexpr absl::Duration kFirstRestartDelay = absl::Seconds(1);
inline constexpr absl::Duration kLastRestartDelay = absl::Seconds(30);
// A child that lived this long restarts with the first delay again.
inline constexpr absl::Duration kHealthyAfter = absl::Seconds(60);

struct LocalServiceOptions {
  std::string state_dir;  // made if absent
  std::string listen;     // "127.0.0.1:7433"; port 0 lets the system choose
  int workers = 1;        // one slot and one thread each
  std::string program_dir;
  std::string metrics = "";  // ADDRESS:PORT that the coordinator serves them at; empty: it does not
};

// One coordinator and its workers. A child that dies is started again after a delay that grows, and
// it is said. Start, Stop and the destructor are for one thread.
class LocalService {
 public:
  // Returns once the coordinator answers and every worker has registered. `say` gets lines for the
  // user, from another thread too. kAlreadyExists: the state directory is in use, or the port is.
  // kUnavailable: not up within kServiceStartLimit; kInternal: a child ended at once, with the end
  // of its log; kNotFound: a program is missing; kCancelled: a signal.
  static absl::StatusOr<std::unique_ptr<LocalService>> Start(
      const LocalServiceOptions& options, Signals& signals, Clock& clock,
      std::function<void(const std::string&)> say);
  // Kills what Stop has not ended.
  ~LocalService();
  LocalService(const LocalService&) = delete;
  LocalService& operator=(const LocalService&) = delete;

  const std::string& endpoint() const { return endpoint_; }
  const std::string& token_file() const { return token_file_; }

  // Drains the workers, then stops the coordinator. False: something had to be killed, because it
  // took too long or a second signal came.
  bool Stop();

 private:
  struct Child {
    std::string name;  // "the coordinator", "worker 1"
    std::vector<std::string> arguments;
    std::string log_path;
    std::optional<ChildProcess> process;
    absl::Time started_at;
    absl::Time restart_at;  // while it is down
    absl::Duration delay = kFirstRestartDelay;
  };

  LocalService(const LocalServiceOptions& options, Signals& signals, Clock& clock,
               std::function<void(const std::string&)> say);
  absl::Status LockState();
  absl::Status RefuseIfAnswering() const;
  absl::Status StartCoordinator();
  absl::Status StartWorkers();
  absl::Status Launch(Child& child);
  // Calls `ready` until it returns true; fails when a child ends, at the limit, or on a signal.
  absl::Status WaitUntil(const std::string& what, const std::function<bool()>& ready);
  void Tend();
  void StopTending();
  void TendOne(Child& child);
  bool WaitForEnd(std::vector<Child*> children, absl::Duration limit);

  const LocalServiceOptions options_;
  Signals& signals_;
  Clock& clock_;
  const std::function<void(const std::string&)> say_;
  std::string endpoint_;
  std::string token_file_;
  int lock_ = -1;
  std::vector<std::unique_ptr<Child>>
      children_;  // the coordinator first; owned by tend_ as it runs
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::jthread tend_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_LOCAL_SERVICE_H_
