#include "client/reports.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "lib/base/clock.h"
#include "lib/scaling/counts.h"

namespace etude {
namespace {

std::string Text(std::string_view text) { return std::string(text); }
std::int64_t Whole(std::int64_t value) { return value; }

Cell TimeCell(std::int64_t micros) {
  return micros == 0 ? Cell() : Cell(ToIso8601(FromMicros(micros)));
}

Cell LossCell(double value) { return std::isnan(value) ? Cell() : Cell(value); }

Cell PositiveCell(double value) {
  if (value > 0) return value;
  return {};
}

Cell TextCell(const std::string& text) { return text.empty() ? Cell() : Cell(text); }

std::vector<std::string> NamesOf(const std::vector<ArtifactFile>& files) {
  std::vector<std::string> names;
  for (const ArtifactFile& file : files) names.push_back(file.name);
  return names;
}

// The newest loss that says how good a run is: final where it ended, else the newest probe.
double NewestLoss(const RunProgress& progress) {
  return progress.run.result ? progress.run.result->val_loss : progress.val_probe;
}

std::string WhyOf(const RunProgress& progress) {
  return progress.run.reason.empty() ? progress.wait_reason : progress.run.reason;
}

Table RunTable(const std::vector<RunProgress>& runs) {
  const bool held_out = std::ranges::any_of(runs, &RunProgress::held_out);
  Table table{{{"run", "run", Show::kId},
               {"family", "family"},
               {"shape", "shape"},
               {"n_compute", "N", Show::kCount},
               {"tokens", "D", Show::kCount},
               {"seed", "seed"},
               {"held_out", held_out ? "held out" : ""},
               {"state", "state"},
               {"step", "step", Show::kCount},
               {"steps", "of", Show::kCount},
               {"train_loss", "train", Show::kLoss},
               {"val_loss", "val", Show::kLoss},
               {"tokens_per_s", "tokens/s", Show::kCount},
               {"worker", "worker"},
               {"attempts", "attempts"},
               {"reason", "reason"}},
              {}};
  for (const RunProgress& progress : runs) {
    const RunConfig& config = progress.run.config;
    const bool ended = progress.run.result.has_value();
    const double rate = ended ? progress.run.result->tokens_per_s : progress.tokens_per_s;
    table.rows.push_back(
        {progress.run.key.text(), Text(FamilyName(config.model.family)), ShapeText(config.model),
         CountParameters(config.model).compute, config.tokens(),
         static_cast<std::int64_t>(config.seed), progress.held_out,
         Text(RunStateName(progress.run.state)), progress.step, config.steps,
         LossCell(progress.train_loss), LossCell(NewestLoss(progress)), PositiveCell(rate),
         TextCell(progress.worker.text()), Whole(progress.attempts), TextCell(WhyOf(progress))});
  }
  return table;
}

std::vector<Column> SweepColumns() {
  return {{"sweep", "sweep", Show::kId},
          {"name", "name"},
          {"state", "state"},
          {"paused", ""},
          {"priority", ""},
          {"weight", ""},
          {"runs", "runs"},
          {"queued", "queued"},
          {"running", "running"},
          {"succeeded", "succeeded"},
          {"failed", "failed"},
          {"cancelled", "cancelled"},
          {"corpus", "", Show::kId},
          {"created_at", "created"},
          {"finished_at", "finished"},
          {"reason", "reason"}};
}

std::vector<Cell> SweepCells(const SweepSummary& summary) {
  const Sweep& sweep = summary.sweep;
  return {sweep.id.text(),
          sweep.name,
          Text(SweepStateName(sweep.state)),
          sweep.paused,
          Whole(sweep.priority),
          sweep.weight,
          Whole(summary.runs()),
          Whole(summary.queued),
          Whole(summary.running),
          Whole(summary.succeeded),
          Whole(summary.failed),
          Whole(summary.cancelled),
          sweep.corpus.text(),
          TimeCell(sweep.created_at_us),
          TimeCell(sweep.finished_at_us),
          TextCell(sweep.reason)};
}

void AddResult(const RunProgress& progress, Report& report) {
  if (!progress.run.result) return;
  const RunResult& result = *progress.run.result;
  const std::vector<Field> fields = {
      {{"val_loss", "val loss", Show::kLoss}, result.val_loss},
      {{"best_val_loss", "best val loss", Show::kLoss}, result.best_val_loss},
      {{"best_step", "best step", Show::kCount}, result.best_step},
      {{"train_eval_loss", "train_eval loss", Show::kLoss}, result.train_eval_loss},
      {{"perplexity", "perplexity"}, std::exp(result.val_loss)},
      {{"train_s", "training", Show::kSeconds}, result.train_seconds},
      {{"eval_s", "evaluation", Show::kSeconds}, result.eval_seconds},
      {{"tokens_per_s", "tokens/s", Show::kCount}, result.tokens_per_s},
      {{"device", "device"}, result.device},
      {{"weights_sha256", "weights", Show::kId}, result.weights_sha256},
      {{"mixed_numerics", "mixed numerics"}, result.mixed_numerics}};
  report.facts.insert(report.facts.end(), fields.begin(), fields.end());
}

Table AttemptTable(const RunView& view) {
  Table table{{{"job", "", Show::kPlain},
               {"attempt", "attempt"},
               {"worker", "worker"},
               {"start_step", "from step", Show::kCount},
               {"outcome", "outcome"},
               {"started_at", "started"},
               {"ended_at", "ended"},
               {"artifacts", "artifacts"},
               {"numerics", ""},
               {"reason", "reason"}},
              {}};
  for (const AttemptView& row : view.attempts) {
    const Attempt& attempt = row.attempt;
    const std::string outcome =
        attempt.outcome ? Text(JobOutcomeName(*attempt.outcome)) : std::string("running");
    table.rows.push_back({attempt.job.text(), Whole(attempt.number), attempt.worker.text(),
                          attempt.start_step, outcome, TimeCell(attempt.started_at_us),
                          TimeCell(attempt.ended_at_us), NamesOf(row.artifacts),
                          TextCell(attempt.numerics), TextCell(attempt.reason)});
  }
  return table;
}

std::vector<std::string> CheckpointTexts(const RunView& view) {
  std::vector<std::string> texts;
  for (const Checkpoint& checkpoint : view.checkpoints) {
    texts.push_back(Text(CheckpointKindName(checkpoint.kind)) + " at step " +
                    std::to_string(checkpoint.step));
  }
  return texts;
}

}  // namespace

Report SweepsReport(const std::vector<SweepSummary>& sweeps) {
  Report report{"sweeps", {}, Table{SweepColumns(), {}}, "no sweeps yet; type: etude submit SPEC"};
  for (const SweepSummary& summary : sweeps) report.list->rows.push_back(SweepCells(summary));
  return report;
}

Report SweepReport(const SweepView& view) {
  Report report{"runs", {}, RunTable(view.runs), "no runs"};
  std::vector<Column> columns = SweepColumns();
  const std::vector<Cell> cells = SweepCells(view.summary);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].key == "runs") columns[i].key = "run_count";  // "runs" is the list
    for (const char* key : {"corpus", "paused", "priority", "weight"}) {
      if (columns[i].key == key) columns[i].title = key;
    }
    report.facts.push_back({columns[i], cells[i]});
  }
  const bool known = view.eta_s >= 0;
  report.facts.push_back({{"eta_s", "ETA", Show::kSeconds}, known ? Cell(view.eta_s) : Cell()});
  const bool bounded = view.makespan_bound_s > 0;
  const bool ended = view.makespan_s > 0;
  report.facts.push_back({{"makespan_bound_s", "at least", Show::kSeconds},
                          bounded ? Cell(view.makespan_bound_s) : Cell()});
  report.facts.push_back(
      {{"makespan_s", "makespan", Show::kSeconds}, ended ? Cell(view.makespan_s) : Cell()});
  report.facts.push_back(
      {{"makespan_over_bound", "over the least"},
       ended && bounded ? Cell(view.makespan_s / view.makespan_bound_s) : Cell()});
  return report;
}

Report SubmissionReport(const Submission& submission) {
  const Sweep& sweep = submission.sweep;
  Report report;
  report.facts = {{{"sweep", "sweep", Show::kId}, sweep.id.text()},
                  {{"name", "name"}, sweep.name},
                  {{"state", "state"}, Text(SweepStateName(sweep.state))},
                  {{"created", "new"}, submission.created},
                  {{"runs", "runs"}, Whole(static_cast<std::int64_t>(sweep.runs.size()))},
                  {{"runs_shared", "made before"}, Whole(submission.runs_shared)}};
  return report;
}

Report RunsReport(const std::vector<RunProgress>& runs) {
  return {"runs", {}, RunTable(runs), "no runs yet; type: etude submit SPEC"};
}

Report RunReport(const RunView& view) {
  const RunProgress& progress = view.progress;
  const RunConfig& config = progress.run.config;
  const ParameterCounts counts = CountParameters(config.model);
  Report report{"attempts", {}, AttemptTable(view), "no attempt yet"};
  report.facts = {{{"run", "run"}, progress.run.key.text()},
                  {{"state", "state"}, Text(RunStateName(progress.run.state))},
                  {{"reason", "reason"}, TextCell(WhyOf(progress))},
                  {{"sweeps", "sweeps"}, view.sweeps},
                  {{"family", "family"}, Text(FamilyName(config.model.family))},
                  {{"shape", "shape"}, ShapeText(config.model)},
                  {{"n_all", "N all", Show::kCount}, counts.all},
                  {{"n_body", "N body", Show::kCount}, counts.body},
                  {{"n_compute", "N compute", Show::kCount}, counts.compute},
                  {{"tokens", "D", Show::kCount}, config.tokens()},
                  {{"unique_tokens", "U", Show::kCount}, config.unique_tokens},
                  {{"epochs", "D/U"}, config.epochs()},
                  {{"seed", "seed"}, static_cast<std::int64_t>(config.seed)},
                  {{"lr", "learning rate"}, config.lr},
                  {{"step", "step", Show::kCount}, progress.step},
                  {{"steps", "of steps", Show::kCount}, config.steps},
                  {{"train_loss", "train loss", Show::kLoss}, LossCell(progress.train_loss)},
                  {{"val_probe", "val_probe", Show::kLoss}, LossCell(progress.val_probe)}};
  AddResult(progress, report);
  report.facts.push_back({{"checkpoints", "checkpoints"}, CheckpointTexts(view)});
  return report;
}

Report WorkersReport(const std::vector<WorkerView>& workers) {
  Report report{"workers",
                {},
                Table{{{"worker", "worker"},
                       {"state", "state"},
                       {"host", "host"},
                       {"device", "device"},
                       {"slots", "slots"},
                       {"threads_per_slot", "threads"},
                       {"memory_bytes", "memory", Show::kBytes},
                       {"cpu", ""},
                       {"software", "software"},
                       {"last_seen_at", "last seen"},
                       {"runs", ""},
                       {"runs_now", "runs"},
                       {"reason", "reason"}},
                      {}},
                "no workers; start some with: etude up --workers 2, or etude-worker on a machine"};
  for (const WorkerView& view : workers) {
    const Worker& worker = view.worker;
    std::vector<std::string> keys;
    std::vector<std::string> shorts;
    for (const RunKey& run : view.runs) {
      keys.push_back(run.text());
      shorts.push_back(run.Short());
    }
    report.list->rows.push_back(
        {worker.id.text(), Text(WorkerStateName(worker.state)), worker.host, worker.device,
         Whole(worker.slots), Whole(worker.threads_per_slot), worker.memory_bytes, worker.cpu,
         worker.software, TimeCell(worker.last_seen_at_us), keys, shorts, TextCell(worker.reason)});
  }
  return report;
}

Report CorporaReport(const std::vector<Corpus>& corpora) {
  Report report{"corpora",
                {},
                Table{{{"corpus", "corpus", Show::kId},
                       {"name", "name"},
                       {"tokenizer", "tokenizer"},
                       {"vocab", "vocab"},
                       {"train_tokens", "train tokens", Show::kCount},
                       {"val_tokens", "val tokens", Show::kCount},
                       {"test_tokens", "test tokens", Show::kCount},
                       {"chars_per_token", "chars/token"}},
                      {}},
                "no corpora yet; type: etude corpus push DIR"};
  for (const Corpus& corpus : corpora) {
    report.list->rows.push_back({corpus.id.text(), corpus.name, corpus.tokenizer,
                                 Whole(corpus.vocab), corpus.train_tokens, corpus.val_tokens,
                                 corpus.test_tokens, PositiveCell(corpus.chars_per_token)});
  }
  return report;
}

Report CurveReport(const std::vector<LossPoint>& points) {
  Report report{"points",
                {},
                Table{{{"step", "step"}, {"series", "series"}, {"value", "value"}}, {}},
                "no points yet"};
  report.list->rows.reserve(points.size());
  for (const LossPoint& point : points) {
    report.list->rows.push_back({point.step, Text(SeriesName(point.series)), point.value});
  }
  return report;
}

Report WideCurveReport(const std::vector<LossPoint>& points) {
  std::map<Series, std::size_t> columns;
  for (const LossPoint& point : points) columns[point.series] = 0;
  Report report{"steps", {}, Table{{{"step", "step"}}, {}}, "no points yet"};
  for (auto& [series, column] : columns) {
    column = report.list->columns.size();
    report.list->columns.push_back({Text(SeriesName(series)), Text(SeriesName(series))});
  }
  std::map<std::int64_t, std::vector<Cell>> rows;
  for (const LossPoint& point : points) {
    std::vector<Cell>& row = rows[point.step];
    row.resize(report.list->columns.size());
    row[0] = point.step;
    row[columns[point.series]] = point.value;
  }
  for (auto& [step, row] : rows) report.list->rows.push_back(std::move(row));
  return report;
}

}  // namespace etude
