// A call that holds a thread for long takes one of a limited number of seats.
#ifndef ETUDE_COORDINATOR_SEAT_H_
#define ETUDE_COORDINATOR_SEAT_H_

#include <atomic>

namespace etude {

// Counts an open call of a kind for as long as it lives.
class Seat {
 public:
  explicit Seat(std::atomic<int>& taken) : taken_(taken), number_(++taken) {}
  ~Seat() { --taken_; }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  bool IsWithin(int limit) const { return number_ <= limit; }

 private:
  std::atomic<int>& taken_;
  const int number_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_SEAT_H_
