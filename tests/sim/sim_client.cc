#include "tests/sim/sim_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/hash.h"

namespace etude {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(5);
constexpr absl::Duration kAskAgain = absl::Seconds(1);

RunConfig ConfigOf(const CorpusId& corpus, int number, std::int64_t steps) {
  RunConfig config;
  config.model.layers = 1;
  config.model.width = 8;
  config.model.heads = 1;
  config.model.vocab = 37;
  config.corpus = corpus;
  config.steps = steps;
  config.unique_tokens = config.train_tokens = 1000;
  config.lr = 0.01;
  config.seed = static_cast<std::uint64_t>(number);
  return config;
}

}  // namespace

SimClient::SimClient(int link, const Wire& wire, Oracle& oracle, const Dice& dice)
    : wire_(wire), oracle_(oracle), dice_(dice), calls_(wire.timeline, wire.network, link) {
  PlanCorpus();
  PlanSweeps();
}

// Plans.

// Its files are in the blob store already.
void SimClient::PlanCorpus() {
  corpus_.name = "folk";
  corpus_.id = CorpusId(Sha256Hex(corpus_.name));
  corpus_.vocab = 37;
  for (const char* name : {"train.npy", "corpus.json"}) {
    const std::string bytes = std::string("bytes of ") + name;
    const std::string sha256 = Sha256Hex(bytes);
    wire_.blobs[sha256] = bytes;
    corpus_.files.push_back({name, sha256, static_cast<std::int64_t>(bytes.size())});
  }
  Want("push the corpus",
       [corpus = corpus_](Scheduler& scheduler, const Moment& now, Scheduler::Changes& changes) {
         return scheduler.AddCorpus(corpus, now, changes).status();
       });
}

void SimClient::PlanSweeps() {
  std::vector<RunConfig> pool;
  const int runs = dice_.Between(2, 5);
  for (int i = 0; i < runs; ++i) {
    // Some differ in their length alone, and share a trunk.
    const int seed = dice_.Chance(0.5) ? 0 : i;
    std::int64_t steps = dice_.Between(15, 80);
    const auto taken = [&](const RunConfig& other) { return other.steps == steps; };
    while (std::any_of(pool.begin(), pool.end(), taken)) ++steps;
    pool.push_back(ConfigOf(corpus_.id, seed, steps));
  }
  orders_.push_back(DrawSweep("a", pool));
  WantSubmitted(orders_[0]);
  if (dice_.Chance(0.5)) {
    at_ += dice_.Between(absl::ZeroDuration(), absl::Seconds(20));
    orders_.push_back(DrawSweep("b", pool));
    WantSubmitted(orders_[1]);
  }
  const int wishes = dice_.Chance(0.5) ? dice_.Between(1, 6) : 0;
  for (int i = 0; i < wishes; ++i) {
    at_ += dice_.Between(absl::ZeroDuration(), absl::Seconds(20));
    const int last = static_cast<int>(orders_.size()) - 1;
    WantControl(orders_[static_cast<std::size_t>(dice_.Between(0, last))]);
  }
}

SimClient::Order SimClient::DrawSweep(const std::string& name, const std::vector<RunConfig>& pool) {
  Order order;
  for (const RunConfig& config : pool) {
    if (dice_.Chance(0.7)) order.configs.push_back(config);
  }
  if (order.configs.empty()) order.configs.push_back(pool[0]);
  order.sweep.name = name;
  order.sweep.id = SweepId(Sha256Hex(name));
  order.sweep.corpus = corpus_.id;
  order.sweep.max_failed_runs = dice_.Between(0, 3);
  if (order.configs.size() > 1 && dice_.Chance(0.4)) {
    order.sweep.held_out.push_back(KeyOf(order.configs.back()));
  }
  oracle_.WillHoldOut(order.sweep.id, order.sweep.held_out);
  return order;
}

void SimClient::WantSubmitted(const Order& order) {
  wishes_.push_back({"submit sweep " + order.sweep.name, at_, /*may_be_refused=*/false,
                     [order](SimCoordinator& coordinator, const Done& done) {
                       coordinator.Submit(order.sweep, order.configs, done);
                     }});
}

void SimClient::Want(const std::string& name, const SimCoordinator::Request& request) {
  wishes_.push_back({name, at_, /*may_be_refused=*/true,
                     [request](SimCoordinator& coordinator, const Done& done) {
                       coordinator.Ask(request, done);
                     }});
}

void SimClient::WantControl(const Order& order) {
  const SweepId& id = order.sweep.id;
  using Changes = Scheduler::Changes;
  switch (dice_.Between(0, 9)) {
    case 0:
      oracle_.WillStartAgain();
      return WantSubmitted(order);
    case 1:
    case 2:
      return WantCancelled(order);
    case 3:
      return Want("pause or resume",
                  [id, paused = dice_.Chance(0.7)](Scheduler& scheduler, const Moment& now,
                                                   Changes& changes) {
                    return scheduler.PauseSweep(id, paused, now, changes);
                  });
    case 4:
      return Want("stop", [id](Scheduler& scheduler, const Moment& now, Changes& changes) {
        return scheduler.StopSweep(id, now, changes);
      });
    case 5:
      return Want("set turn", [id, priority = dice_.Between(-2, 2), weight = 0.5 + dice_.Uniform()](
                                  Scheduler& scheduler, const Moment&, Changes& changes) {
        return scheduler.SetTurn(id, priority, weight, changes);
      });
    case 6:
      return WantRunControl(order);
    case 7:
    case 8:
      return WantDeleted(order);
    default:
      return WantDrained(WorkerId(fmt::format("w{}.1", dice_.Between(0, 1))), dice_.Chance(0.6));
  }
}

void SimClient::WantCancelled(const Order& order) {
  oracle_.WillStartAgain();  // by the submission, should it come twice and late
  wishes_.push_back({"cancel sweep " + order.sweep.name, at_, /*may_be_refused=*/true,
                     [id = order.sweep.id](SimCoordinator& coordinator, const Done& done) {
                       coordinator.CancelSweep(id, done);
                     }});
}

// With all it has, and most times it is wanted again, while workers may not have heard of it.
void SimClient::WantDeleted(const Order& order) {
  if (dice_.Chance(0.8)) WantCancelled(order);
  at_ += dice_.Between(absl::ZeroDuration(), absl::Seconds(2));
  Want("delete sweep " + order.sweep.name,
       [sweep = order.sweep](Scheduler& scheduler, const Moment&, Scheduler::Changes& changes) {
         return scheduler.DeleteSweep(sweep.id, sweep.name, changes).status();
       });
  if (dice_.Chance(0.2)) return;
  oracle_.WillStartAgain();
  at_ += dice_.Between(absl::ZeroDuration(), absl::Seconds(2));
  WantSubmitted(order);
}

void SimClient::WantRunControl(const Order& order) {
  using Changes = Scheduler::Changes;
  const RunKey run = KeyOf(order.configs.front());
  if (dice_.Chance(0.4)) {
    return Want("cancel run", [run](Scheduler& scheduler, const Moment& now, Changes& changes) {
      return scheduler.CancelRun(run, now, changes);
    });
  }
  oracle_.WillStartAgain();
  if (dice_.Chance(0.5)) {
    return Want("retry run", [run](Scheduler& scheduler, const Moment& now, Changes& changes) {
      return scheduler.RetryRun(run, now, changes);
    });
  }
  Want("retry sweep", [id = order.sweep.id, failed_only = dice_.Chance(0.5)](
                          Scheduler& scheduler, const Moment& now, Changes& changes) {
    return scheduler.RetrySweep(id, failed_only, now, changes).status();
  });
}

void SimClient::WantDrained(const WorkerId& worker, bool drained) {
  Want((drained ? "drain " : "undrain ") + worker.text(),
       [worker, drained](Scheduler& scheduler, const Moment& now, Scheduler::Changes& changes) {
         return scheduler.DrainWorker(worker, drained, now, changes).status();
       });
}

void SimClient::Conclude() {
  for (const Order& order : orders_) {
    Want("resume sweep " + order.sweep.name,
         [id = order.sweep.id](Scheduler& scheduler, const Moment& now,
                               Scheduler::Changes& changes) {
           return scheduler.PauseSweep(id, false, now, changes);
         });
  }
  for (const auto& [worker, drained] : oracle_.facts().drained) WantDrained(worker, false);
  concluded_ = true;
  if (!asking_) Ask();
}

// Asking.

void SimClient::Start() { Ask(); }

void SimClient::Ask() {
  asking_ = !wishes_.empty();
  if (!asking_) return;
  const Wish& wish = wishes_.front();
  if (wire_.timeline.elapsed() < wish.not_before) {
    return calls_.After(wish.not_before - wire_.timeline.elapsed(), [this] { Ask(); });
  }
  wire_.trace.Note("client: " + wish.name);
  calls_.Call<absl::Status>(
      kDeadline,
      [&coordinator = wire_.coordinator, ask = wish.ask](const Done& done) {
        ask(coordinator, done);
      },
      [this](const absl::Status& status) { Take(status); });
}

void SimClient::Take(const absl::Status& status) {
  wire_.trace.Note(
      fmt::format("client: {}", status.ok() ? "ok" : absl::StatusCodeToString(status.code())));
  const bool transient = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
                         absl::IsResourceExhausted(status);
  if (transient) return calls_.After(kAskAgain, [this] { Ask(); });
  const bool settled = absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
  if (!status.ok() && !(wishes_.front().may_be_refused && settled)) {
    return oracle_.Violate("the client was refused: " + status.ToString());
  }
  wishes_.pop_front();
  Ask();
}

}  // namespace etude
