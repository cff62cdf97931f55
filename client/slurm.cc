#include "client/slurm.h"

#include <fmt/format.h>

#include <optional>
#include <sstream>
#include <utility>

#include "client/external_command.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

// Slurm's own commands give up on a controller that is away after about ten seconds.
constexpr absl::Duration kSlurmLimit = absl::Seconds(60);
constexpr char kStaySuffix[] = "+stay";  // of a job's name; no fleet is called so
constexpr unsigned kScriptMode = 0755;

constexpr char kScriptBody[] = R"SH(
set -u
# What the submitting shell had set is not for the worker; nproc would heed the last four.
unset ETUDE_ENDPOINT ETUDE_TOKEN_FILE ETUDE_TLS_CA ETUDE_TLS_CERT ETUDE_TLS_KEY ETUDE_STATE
unset OMP_NUM_THREADS OMP_THREAD_LIMIT OMP_PROC_BIND OMP_PLACES
umask 077
# One task of an array has the array's own number as $SLURM_JOB_ID: that would name them all.
member=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}
say() { printf '%s %s %s: %s\n' "$(date -u +%FT%TZ)" "${SLURMD_NODENAME:-$HOSTNAME}" "$member" "$*"; }

# The node's own disk: nothing here is needed once the job has been given back.
state=$(mktemp -d "${TMPDIR:-/tmp}/etude-worker.XXXXXX") || exit 1
trap 'rm -rf -- "$state"' EXIT

# Threads keep to their cores where Slurm gives the job cores of its own.
if [ "$slots" = 1 ] && [ "$(nproc)" -le "${SLURM_CPUS_PER_TASK:-1}" ]; then
  export OMP_PROC_BIND=close OMP_PLACES=cores
fi
say "turn ${SLURM_RESTART_COUNT:-0}: ${SLURM_CPUS_PER_TASK:-1} CPUs ($(nproc) usable), GPUs ${CUDA_VISIBLE_DEVICES:-none}"

# SIGTERM: the time limit is near, or the job is preempted or cancelled. SIGUSR1: etude fleet down.
worker= leaving=
leave() {
  [ -z "$leaving" ] || return
  leaving=$1
  [ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null
  say "$2: giving the job back"
}
trap 'leave turn SIGTERM' TERM
trap 'leave end "asked to end"' USR1
[ "${1:-}" = stay ] && arguments=("${staying[@]}") || arguments=("${elastic[@]}")
"$program" "${arguments[@]}" --name "$name-$member" --state "$state" &
worker=$!
[ -z "$leaving" ] || kill -TERM "$worker" 2>/dev/null
until wait "$worker"; status=$?; ! kill -0 "$worker" 2>/dev/null; do :; done

[ "$leaving" = end ] && exit 0
[ -z "$leaving" ] && exit "$status"
# What Slurm preempts or cancels it takes care of itself; what runs on asks for another turn.
if [ "$(squeue -h -j "$member" -o %T 2>/dev/null)" = RUNNING ]; then
  say "asking for another turn"
  scontrol requeue "$member"
fi
exit 0
)SH";

std::string BashArray(const std::string& name, const std::vector<std::string>& words) {
  std::string text = name + "=(";
  for (const std::string& word : words) text += (text.back() == '(' ? "" : " ") + ShellQuoted(word);
  return text + ")\n";
}

std::string JobName(const FleetSpec& spec, bool stays) {
  return "etude-" + spec.name + (stays ? kStaySuffix : "");
}

// Runs one of Slurm's commands.
absl::StatusOr<ExternalResult> RunSlurm(std::vector<std::string> arguments,
                                        std::string input = "") {
  const std::string program = arguments[0];
  absl::StatusOr<ExternalResult> result = RunExternal({.arguments = std::move(arguments),
                                                       .input = std::move(input),
                                                       .limit = kSlurmLimit,
                                                       .hears_terminal = false});
  if (!absl::IsNotFound(result.status())) return result;
  return WithHint(result.status(), "run this where Slurm's commands are: on a login node");
}

std::optional<FleetMember::State> StateOf(const std::string& slurm) {
  using State = FleetMember::State;
  for (const char* name : {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED",
                           "RESV_DEL_HOLD", "SPECIAL_EXIT", "SUSPENDED", "STOPPED"}) {
    if (slurm == name) return State::kWaiting;
  }
  for (const char* name : {"RUNNING", "RESIZING"}) {
    if (slurm == name) return State::kRunning;
  }
  for (const char* name : {"COMPLETING", "SIGNALING", "STAGE_OUT"}) {
    if (slurm == name) return State::kEnding;
  }
  for (const char* name :
       {"FAILED", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "TIMEOUT"}) {
    if (slurm == name) return State::kFailed;
  }
  return std::nullopt;  // COMPLETED, CANCELLED, PREEMPTED, REVOKED: over
}

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream text(line);
  for (std::string field; std::getline(text, field, '|');) fields.push_back(field);
  return fields;
}

std::vector<std::string> IdsOf(const std::vector<FleetMember>& members,
                               std::optional<FleetMember::State> state) {
  std::vector<std::string> ids;
  for (const FleetMember& member : members) {
    if (!state || member.state == *state) ids.push_back(member.id);
  }
  return ids;
}

// scancel OPTIONS IDS; jobs that ended in the meantime are no error.
absl::Status Cancel(std::vector<std::string> options, const std::vector<std::string>& ids) {
  if (ids.empty()) return absl::OkStatus();
  options.insert(options.begin(), "scancel");
  options.insert(options.end(), ids.begin(), ids.end());
  ASSIGN_OR_RETURN(const ExternalResult result, RunSlurm(options));
  if (result.status == 0) return absl::OkStatus();
  return Unavailable("scancel: " + LastLineOf(result.err));
}

}  // namespace

std::string SlurmJobScript(const FleetSpec& spec, const std::string& log_dir) {
  const SlurmOptions& slurm = spec.slurm;
  std::string text = fmt::format(
      "#!/bin/bash\n"
      "# A worker of the fleet {0}, as etude fleet wrote it. By hand: sbatch --array=1-4 FILE\n"
      "#SBATCH --job-name={1}\n"
      "#SBATCH --nodes=1 --ntasks=1 --cpus-per-task={2}\n"
      "#SBATCH --requeue --open-mode=append\n"
      "#SBATCH --signal=B:TERM@{3}\n"
      "#SBATCH --output={4}/%A_%a.log\n",
      spec.name, JobName(spec, false), spec.worker.slots * spec.worker.threads, kSlurmNoticeSeconds,
      log_dir);
  if (slurm.gpus > 0) text += fmt::format("#SBATCH --gres=gpu:{}\n", slurm.gpus);
  if (!slurm.partition.empty()) text += "#SBATCH --partition=" + slurm.partition + "\n";
  if (!slurm.account.empty()) text += "#SBATCH --account=" + slurm.account + "\n";
  if (!slurm.time_limit.empty()) text += "#SBATCH --time=" + slurm.time_limit + "\n";
  text += "name=" + ShellQuoted(spec.name + "." + spec.tag) + "\n";
  text += "program=" + ShellQuoted(spec.worker.program) + "\n";
  text += "slots=" + std::to_string(spec.worker.slots) + "\n";
  text += BashArray("elastic", FleetWorkerArguments(spec, false));
  text += BashArray("staying", FleetWorkerArguments(spec, true));
  return text + kScriptBody;
}

std::vector<FleetMember> ParseSqueue(const std::string& text, const FleetSpec& spec,
                                     const std::string& log_dir) {
  std::vector<FleetMember> members;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = Fields(line);
    if (fields.size() != 5) continue;
    const std::optional<FleetMember::State> state = StateOf(fields[1]);
    if (!state) continue;
    FleetMember member{.id = fields[0], .state = *state, .where = fields[3]};
    if (*state != FleetMember::State::kRunning) {
      member.reason = fields[2] == "None" ? fields[1] : fields[2];
    }
    member.worker = FleetWorkerName(spec, member.id);
    member.log = log_dir + "/" + member.id + ".log";
    member.stays = fields[4].ends_with(kStaySuffix);
    members.push_back(std::move(member));
  }
  return members;
}

SlurmEngine::SlurmEngine(FleetSpec spec, const std::string& directory)
    : spec_(std::move(spec)),
      script_(directory + "/worker.sbatch"),
      log_dir_(directory + "/logs") {}

absl::Status SlurmEngine::Start(int count, bool stays) {
  // It stands in the script's own lines, where "%" has a meaning.
  if (log_dir_.find_first_of(" \t\n%\"'\\") != std::string::npos) {
    return WithHint(InvalidArgument("Slurm cannot write logs to " + log_dir_),
                    "set $ETUDE_STATE to a path without blanks, quotes and %");
  }
  RETURN_IF_ERROR(MakeDirectories(log_dir_));
  RETURN_IF_ERROR(WriteFileAtomically(script_, SlurmJobScript(spec_, log_dir_), kScriptMode));
  std::vector<std::string> command = {"sbatch", "--parsable", "--array=1-" + std::to_string(count),
                                      "--job-name=" + JobName(spec_, stays)};
  command.insert(command.end(), spec_.slurm.sbatch_arguments.begin(),
                 spec_.slurm.sbatch_arguments.end());
  command.push_back(script_);
  if (stays) command.emplace_back("stay");
  ASSIGN_OR_RETURN(const ExternalResult result, RunSlurm(command));
  if (result.status == 0) return absl::OkStatus();
  return WithHint(InvalidArgument("sbatch refuses the fleet's job: " + LastLineOf(result.err)),
                  "sinfo     (what there is); etude fleet up -h     (what can be asked for)");
}

absl::StatusOr<std::vector<FleetMember>> SlurmEngine::Members() {
  ASSIGN_OR_RETURN(const ExternalResult result,
                   RunSlurm({"squeue", "--noheader", "--me", "--array", "--states=all",
                             "--name=" + JobName(spec_, false) + "," + JobName(spec_, true),
                             std::string("--format=") + kSqueueFormat}));
  if (result.status != 0) {
    return WithHint(Unavailable("squeue: " + LastLineOf(result.err)), "sinfo     (is Slurm up?)");
  }
  return ParseSqueue(result.out, spec_, log_dir_);
}

absl::Status SlurmEngine::Stop(const std::vector<FleetMember>& members) {
  RETURN_IF_ERROR(Cancel({"--state=PENDING"}, IdsOf(members, FleetMember::State::kWaiting)));
  return Cancel({"--batch", "--signal=USR1"}, IdsOf(members, FleetMember::State::kRunning));
}

absl::Status SlurmEngine::Kill(const std::vector<FleetMember>& members) {
  return Cancel({}, IdsOf(members, std::nullopt));
}

}  // namespace etude
