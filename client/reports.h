// The nouns as what a command prints: pure functions from the coordinator's answers to reports.
#ifndef ETUDE_CLIENT_REPORTS_H_
#define ETUDE_CLIENT_REPORTS_H_

#include <vector>

#include "client/coordinator_client.h"
#include "client/output.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/loss_point.h"

namespace etude {

Report SweepsReport(const std::vector<SweepSummary>& sweeps);
Report SweepReport(const SweepView& view);
Report SubmissionReport(const Submission& submission);
Report RunsReport(const std::vector<RunProgress>& runs);
Report RunReport(const RunView& view);
Report WorkersReport(const std::vector<WorkerView>& workers);
Report CorporaReport(const std::vector<Corpus>& corpora);

// One row a point: step, series, value.
Report CurveReport(const std::vector<LossPoint>& points);
// One row a step, one column a series; where a series has no point at a step, nothing.
Report WideCurveReport(const std::vector<LossPoint>& points);

}  // namespace etude

#endif  // ETUDE_CLIENT_REPORTS_H_
