// results.csv: one row a run, everything a fit or a spreadsheet needs.
#ifndef ETUDE_CLIENT_RESULTS_TABLE_H_
#define ETUDE_CLIENT_RESULTS_TABLE_H_

#include <map>
#include <vector>

#include "client/coordinator_client.h"
#include "client/output.h"
#include "lib/scaling/corpus.h"

namespace etude {

// What of a run depends on its corpus; FLOPs of evaluation and bits/char are empty for corpora
// that are not here.
using CorporaById = std::map<CorpusId, Corpus>;

// Losses in nats/token. perplexity = exp(val loss); bits per character = val loss / ln 2 /
// characters per token.
Report ResultsReport(const std::vector<RunProgress>& runs, const CorporaById& corpora);

}  // namespace etude

#endif  // ETUDE_CLIENT_RESULTS_TABLE_H_
