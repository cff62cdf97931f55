// Corpora on this machine as what a command prints.
#ifndef ETUDE_CLIENT_CORPUS_REPORT_H_
#define ETUDE_CLIENT_CORPUS_REPORT_H_

#include <string>

#include "client/corpus_fetch.h"
#include "client/output.h"
#include "lib/music/corpus_build.h"
#include "lib/music/corpus_stats.h"
#include "lib/music/corpus_tunes.h"

namespace etude {

Report FetchedReport(const std::string& source, const std::string& dir, const FetchReport& fetched);
// Counts before and after, one row a split.
Report BuiltReport(const std::string& dir, const CorpusReport& built);
// Single counts with the splits' among them; one row a token, the most frequent first.
Report StatsReport(const CorpusStats& stats, const TuneCounts& tunes);

}  // namespace etude

#endif  // ETUDE_CLIENT_CORPUS_REPORT_H_
