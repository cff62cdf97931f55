#include "lib/music/abc_layers.h"

#include <algorithm>
#include <cstdlib>

namespace etude {
namespace {

bool Has(const Layer& layer, int pitch) {
  return std::ranges::count(layer.PitchesOf(layer.chords.back()), pitch) > 0;
}

// Appends to the newest chord, whose pitches are the last ones.
void Join(Layer& layer, int pitch) {
  layer.pitches.push_back(pitch);
  ++layer.chords.back().count;
}

class LayerSplit {
 public:
  explicit LayerSplit(std::size_t max_layers) : max_layers_(max_layers) {}

  void Add(std::int64_t onset, std::int64_t end, std::span<const int> pitches) {
    if (Layer* layer = LayerFor(onset, pitches.front()); layer != nullptr) {
      layer->chords.push_back({onset, end, layer->pitches.size(), pitches.size()});
      layer->pitches.insert(layer->pitches.end(), pitches.begin(), pitches.end());
      return;
    }
    for (const int pitch : pitches) JoinAny(pitch);
  }

  std::vector<Layer> Take() && { return std::move(layers_); }

 private:
  Layer* LayerFor(std::int64_t onset, int pitch) {
    if (Layer* layer = NearestFree(onset, pitch); layer != nullptr) return layer;
    if (layers_.size() < max_layers_) return &layers_.emplace_back();
    return CutShort(onset);
  }

  Layer* NearestFree(std::int64_t onset, int pitch) {
    Layer* nearest = nullptr;
    int least = 0;
    for (Layer& layer : layers_) {
      if (layer.chords.back().end > onset) continue;
      const int distance = std::abs(layer.pitches.back() - pitch);
      if (nearest != nullptr && distance >= least) continue;
      nearest = &layer;
      least = distance;
    }
    return nearest;
  }

  Layer* CutShort(std::int64_t onset) {
    Layer* first_to_end = nullptr;
    for (Layer& layer : layers_) {
      if (layer.chords.back().onset >= onset) continue;
      if (first_to_end == nullptr || layer.chords.back().end < first_to_end->chords.back().end) {
        first_to_end = &layer;
      }
    }
    if (first_to_end != nullptr) first_to_end->chords.back().end = onset;
    return first_to_end;
  }

  void JoinAny(int pitch) {
    const auto layer =
        std::ranges::find_if(layers_, [&](const Layer& l) { return !Has(l, pitch); });
    if (layer != layers_.end()) Join(*layer, pitch);
  }

  std::size_t max_layers_;
  std::vector<Layer> layers_;
};

}  // namespace

std::vector<Layer> SplitLayers(const std::vector<Note>& notes, std::size_t max_layers) {
  LayerSplit split(max_layers);
  std::vector<int> pitches;
  std::vector<int> again;  // pitches that the chord already has
  for (std::size_t begin = 0; begin < notes.size();) {
    std::size_t end = begin;
    for (; end < notes.size() && notes[end].onset == notes[begin].onset &&
           notes[end].duration == notes[begin].duration;
         ++end) {
      const int pitch = notes[end].pitch;
      (pitches.empty() || pitches.back() != pitch ? pitches : again).push_back(pitch);
    }
    const std::int64_t onset = notes[begin].onset;
    const std::int64_t note_end = onset + notes[begin].duration;
    split.Add(onset, note_end, pitches);
    for (const int& pitch : again) split.Add(onset, note_end, {&pitch, 1});
    pitches.clear();
    again.clear();
    begin = end;
  }
  return std::move(split).Take();
}

}  // namespace etude
