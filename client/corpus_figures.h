// The pictures of a corpus. Pure: counts in, Figure out.
#ifndef ETUDE_CLIENT_CORPUS_FIGURES_H_
#define ETUDE_CLIENT_CORPUS_FIGURES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/figure.h"
#include "lib/music/corpus_stats.h"

namespace etude {

// How often something was met, such as a key.
struct NamedCount {
  std::string name;
  std::int64_t count = 0;
};

// Document lengths in tokens: how many in each class, and the share that is no longer.
Figure LengthsFigure(const CorpusStats& stats);

// The most frequent tokens, and counts by rank.
Figure FrequenciesFigure(const CorpusStats& stats);

// Tokens and documents of each split.
Figure SplitFigure(const CorpusStats& stats);

// The most frequent of `counts`, in the order of their number; a note counts the rest.
Figure CountsFigure(const std::string& title, const std::string& x_label,
                    const std::string& y_label, std::vector<NamedCount> counts);

// A histogram of whole numbers with classes of one width; the longest per cent is told in a note.
Panel HistogramPanel(const std::string& title, const std::string& x_label,
                     const std::string& y_label, std::vector<std::int64_t> values);

}  // namespace etude

#endif  // ETUDE_CLIENT_CORPUS_FIGURES_H_
