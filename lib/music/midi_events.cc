#include "lib/music/midi_events.h"

namespace etude {
namespace {

constexpr int kResyncEvents = 8;                     // legal ones in a row that are believed
constexpr int kResyncEventsAtEnd = 3;                // where the track ends before that
constexpr std::uint32_t kMaxResyncDelta = 1U << 16;  // ticks; longer pauses are taken for damage
constexpr int kMaxNumberBytes = 4;
constexpr std::size_t kPlainBytes = 5;
constexpr int kHabit = 8;                 // events in a row that show a writer's habit
constexpr std::size_t kMaxStepBytes = 8;  // an event's, within which the right step is sought

}  // namespace

// A variable-length quantity. False: cut, or longer than four bytes.
bool MidiEvents::ReadNumber(std::size_t& at, std::uint32_t& value) const {
  value = 0;
  for (int i = 0; i < kMaxNumberBytes; ++i) {
    if (at == extent_.end) return false;
    const int byte = ByteAt(at++);
    value = value << 7 | static_cast<std::uint32_t>(byte & 0x7F);
    if (byte < 0x80) return true;
  }
  return false;
}

MidiEvents::Step MidiEvents::ReadChannel(std::size_t at, MidiEvent& event) const {
  const bool single = (event.status & 0xE0) == 0xC0;  // program and channel pressure
  const std::size_t length = single ? 1 : 2;
  if (extent_.end - at < length) return {Outcome::kCut, extent_.end, event.status};
  event.first = ByteAt(at);
  event.second = single ? 0 : ByteAt(at + 1);
  const bool legal = event.first < 0x80 && event.second < 0x80;
  return {legal ? Outcome::kEvent : Outcome::kBadBytes, at + length, event.status};
}

MidiEvents::Step MidiEvents::ReadPayload(std::size_t at, int running, MidiEvent& event) const {
  if (event.status == kMidiMeta) {
    if (at == extent_.end) return {Outcome::kCut, extent_.end, running};
    event.first = ByteAt(at++);
    if (event.first >= 0x80) return {Outcome::kBadBytes, at, running};
  }
  const std::size_t start = at;
  std::uint32_t length = 0;
  if (!ReadNumber(at, length)) {
    const bool cut = extent_.end - start < kMaxNumberBytes;
    return {cut ? Outcome::kCut : Outcome::kBadBytes, at, running};
  }
  if (extent_.end - at < length) return {Outcome::kOverrun, extent_.end, running};
  event.payload = bytes_.substr(at, length);
  return {Outcome::kEvent, at + length, running};
}

MidiEvents::Step MidiEvents::Read(std::size_t at, int running, MidiEvent& event) const {
  const std::size_t start = at;
  if (!ReadNumber(at, event.delta)) {
    const bool cut = extent_.end - start < kMaxNumberBytes;
    return {cut ? Outcome::kCut : Outcome::kBadBytes, at, running};
  }
  if (at == extent_.end) return {Outcome::kCut, at, running};
  const int byte = ByteAt(at);
  event.has_status = byte >= 0x80;
  event.status = event.has_status ? byte : running;
  if (event.status == 0) return {Outcome::kBadBytes, at, running};
  if (event.has_status) ++at;
  if (event.status < kMidiSysEx) return ReadChannel(at, event);
  if (event.status == kMidiSysEx || event.status == kMidiEscape || event.status == kMidiMeta) {
    return ReadPayload(at, running, event);
  }
  return {Outcome::kBadStatus, at, running};
}

bool MidiEvents::RunsOn(std::size_t at, int running, Statuses written) const {
  MidiEvent event;
  for (int read = 0; read < kResyncEvents; ++read) {
    if (at == extent_.end) return read >= kResyncEventsAtEnd;
    const Step step = Read(at, running, event);
    if (step.outcome == Outcome::kCut) return read >= kResyncEventsAtEnd;
    if (step.outcome != Outcome::kEvent || event.delta > kMaxResyncDelta) return false;
    const bool needs_status =
        written == Statuses::kAll || (written == Statuses::kFirst && read == 0);
    if (needs_status && !event.has_status) return false;
    if (written == Statuses::kNoneButFirst && read > 0 && event.has_status) return false;
    if (event.status == kMidiMeta && event.first == kMetaEndOfTrack) {
      return step.next == extent_.end || read >= kResyncEventsAtEnd;
    }
    at = step.next;
    running = step.running;
  }
  return true;
}

bool MidiEvents::RunsToEnd(std::size_t at) const {
  MidiEvent event;
  int running = 0;
  while (at < extent_.end) {
    const Step step = Read(at, running, event);
    if (step.outcome != Outcome::kEvent) return false;
    at = step.next;
    running = step.running;
  }
  return true;
}

// Looks for the place behind a bad event. A flipped bit leaves the length as it was, and a status
// of the wire that does not belong into a file takes up to two bytes with it; only then is every
// offset tried. Text and SysEx could be mistaken for events under running status, so behind them
// a status must be written out.
bool MidiEvents::StepOver(const Step& bad) {
  const auto try_at = [&](std::size_t at, Statuses written) {
    if (at > extent_.end || !RunsOn(at, running_, written)) return false;
    at_ = at;
    return true;
  };
  if (bad.outcome == Outcome::kBadBytes && try_at(bad.next, Statuses::kAny)) return true;
  if (bad.outcome == Outcome::kBadStatus) {
    for (const Statuses written : {Statuses::kFirst, Statuses::kAny}) {
      for (std::size_t data = 0; data <= 2; ++data) {
        if (try_at(bad.next + data, written)) return true;
      }
    }
  }
  const Statuses written = bad.outcome == Outcome::kOverrun ? Statuses::kFirst : Statuses::kAny;
  for (std::size_t at = at_ + 1; at < extent_.end; ++at) {
    if (try_at(at, written)) return true;
  }
  return false;
}

// Bytes that were lost can leave events that are legal and nonsense, for ever. They give themselves
// away: running status from here on where every status was written out, or nothing but offs on a
// channel without notes.
bool MidiEvents::IsOutOfStep(const MidiEvent& event) const {
  if (event.status >= kMidiSysEx || running_ == 0) return false;
  const bool lone_off = (event.status & 0xF0) == 0x80 && event.has_status &&
                        (channels_ >> (event.status & 0x0F) & 1) == 0;
  const bool breaks_habit = !event.has_status && written_in_a_row_ >= kHabit;
  return (lone_off || breaks_habit) && RunsOn(at_, running_, Statuses::kNoneButFirst);
}

// Whether reading as before comes to `at`.
bool MidiEvents::IsOnPath(std::size_t at) const {
  MidiEvent event;
  Step step{.next = at_, .running = running_};
  while (step.outcome == Outcome::kEvent && step.next < at) {
    step = Read(step.next, step.running, event);
  }
  return step.next == at;
}

// Moves on to where events are as they were before. False: they are nowhere near, so that what
// looked wrong was meant.
bool MidiEvents::FindStep() {
  const Statuses written = written_in_a_row_ >= kHabit ? Statuses::kAll : Statuses::kAny;
  for (std::size_t at = at_ + 1; at <= at_ + kMaxStepBytes && at < extent_.end; ++at) {
    if (IsOnPath(at) || !RunsOn(at, running_, written)) continue;
    at_ = at;
    return true;
  }
  return false;
}

void MidiEvents::Accept(const Step& step, const MidiEvent& event) {
  const bool of_channel = event.status < kMidiSysEx;
  if (of_channel && !event.has_status && running_is_late_) {
    faults_.Add(MidiFault::kLateRunningStatus, static_cast<std::int64_t>(at_));
  }
  if (of_channel) written_in_a_row_ = event.has_status ? written_in_a_row_ + 1 : 0;
  if ((event.status & 0xF0) == 0x90) channels_ |= 1U << (event.status & 0x0F);
  running_is_late_ = !of_channel;
  running_ = step.running;
  at_ = step.next;
  if (event.status == kMidiMeta && event.first == kMetaEndOfTrack) ended_ = true;
}

bool MidiEvents::StopAtCut() {
  const bool of_file = extent_.cut || extent_.end == bytes_.size();
  faults_.Add(of_file ? MidiFault::kTruncated : MidiFault::kBadEvent,
              static_cast<std::int64_t>(at_));
  return false;
}

bool MidiEvents::StopWithoutEnd() {
  if (!ended_) {
    faults_.Add(extent_.cut ? MidiFault::kTruncated : MidiFault::kMissingEnd,
                static_cast<std::int64_t>(at_));
  }
  return false;
}

// Behind End of Track events are believed when all bytes up to the end are events.
bool MidiEvents::GoesOnAfterEnd() {
  if (all_legal_) return true;
  // A length that leads nowhere, or over the next track.
  if (extent_.is_guess() || bytes_.substr(at_, 4) == "MTrk") return false;
  faults_.Add(MidiFault::kAfterEnd, static_cast<std::int64_t>(at_));
  running_ = 0;
  all_legal_ = RunsToEnd(at_);
  return all_legal_;
}

// Nearly all events are a delta of one or two bytes and a whole channel message of which nothing is
// odd: here in one go, for speed. False: the event is to be read with care; nothing was changed.
bool MidiEvents::ReadPlain(MidiEvent& event) {
  if (ended_ || extent_.end - at_ < kPlainBytes) return false;
  const auto* const start = reinterpret_cast<const unsigned char*>(bytes_.data()) + at_;
  const auto* byte = start;
  std::uint32_t delta = *byte++;
  if (delta >= 0x80) {
    if (*byte >= 0x80) return false;
    delta = (delta & 0x7F) << 7 | *byte++;
  }
  const bool has_status = *byte >= 0x80;
  const int status = has_status ? *byte++ : running_;
  if (status == 0 || status >= kMidiSysEx) return false;
  const bool single = (status & 0xE0) == 0xC0;
  const int first = *byte++;
  const int second = single ? 0 : *byte++;
  if (first >= 0x80 || second >= 0x80) return false;
  if (!has_status && (running_is_late_ || written_in_a_row_ >= kHabit)) return false;
  const unsigned channel = 1U << (status & 0x0F);
  if ((status & 0xF0) == 0x90) channels_ |= channel;
  if ((status & 0xF0) == 0x80 && (channels_ & channel) == 0) return false;
  event = {
      .delta = delta, .status = status, .has_status = has_status, .first = first, .second = second};
  written_in_a_row_ = has_status ? written_in_a_row_ + 1 : 0;
  running_is_late_ = false;
  running_ = status;
  at_ += static_cast<std::size_t>(byte - start);
  return true;
}

bool MidiEvents::Next(MidiEvent& event) {
  if (ReadPlain(event)) return true;
  for (;;) {
    if (at_ == extent_.end) return StopWithoutEnd();
    if (ended_ && !GoesOnAfterEnd()) return false;
    const Step step = Read(at_, running_, event);
    const auto start = static_cast<std::int64_t>(at_);
    if (step.outcome == Outcome::kEvent && (!IsOutOfStep(event) || !FindStep())) {
      Accept(step, event);
      return true;
    }
    if (step.outcome == Outcome::kEvent) {
      faults_.Add(MidiFault::kBadEvent, start);
      continue;
    }
    if (step.outcome == Outcome::kCut) return StopAtCut();
    const bool goes_on = StepOver(step);
    if (!goes_on && step.outcome == Outcome::kOverrun) return StopAtCut();
    faults_.Add(MidiFault::kBadEvent, start);
    if (!goes_on) return false;
  }
}

}  // namespace etude
