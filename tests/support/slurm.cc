#include "tests/support/slurm.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace etude {
namespace {

constexpr double kStartSeconds = 30;
constexpr int kFirstPort = 20000;
constexpr int kLastPort = 50000;

// Debian's places; /usr/sbin is not in every PATH.
constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr char kConfig[] = R"(ClusterName=etude
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmctldParameters=preempt_send_user_signal
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=15
SlurmdTimeout=10
MailProg=/bin/true
GresTypes=gpu
)";

void WriteText(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string Slurp(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool IsFree(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(listener);
  return free;
}

// The first of `count` ports in a row that nobody listens on.
int FreePorts(int count) {
  int first = kFirstPort + getpid() % (kLastPort - kFirstPort);
  for (int port = first; port < first + count; ++port) {
    if (!IsFree(port)) first = port + 1;
  }
  return first;
}

}  // namespace

bool SlurmCluster::IsAvailable() {
  for (const char* program : {"slurmctld", "slurmd", "munged", "sbatch"}) {
    const std::string sbin = std::string("/usr/sbin/") + program;
    const std::string bin = std::string("/usr/bin/") + program;
    if (access(sbin.c_str(), X_OK) != 0 && access(bin.c_str(), X_OK) != 0) return false;
  }
  return true;
}

SlurmCluster::SlurmCluster(int nodes) : directory_(NewDirectory("slurm")) {
  for (const char* part : {"munge", "state", "log"}) {
    std::filesystem::create_directories(directory_ + "/" + part);
  }
  const std::string munge = directory_ + "/munge";
  WriteText(munge + "/key", std::string(128, 'k'));
  // munged wants its socket open to all, and its key to nobody else.
  chmod(directory_.c_str(), 0755);
  chmod(munge.c_str(), 0755);
  chmod((munge + "/key").c_str(), 0600);
  WriteText(directory_ + "/slurm.conf", ConfigText(nodes, FreePorts(nodes + 1)));
  WriteText(directory_ + "/gres.conf",
            "NodeName=n[1-" + std::to_string(nodes) + "] Name=gpu File=/dev/tty[0-1]\n");
  WriteText(directory_ + "/cgroup.conf", "CgroupAutomount=no\n");
  const auto start = [&](const std::vector<std::string>& arguments, const std::string& name) {
    return std::make_unique<Process>(arguments,
                                     ProcessOptions{.environment = {kPath, Environment()},
                                                    .output_prefix = directory_ + "/log/" + name});
  };
  munged_ =
      start({"/usr/sbin/munged", "--foreground", "--key-file=" + munge + "/key",
             "--socket=" + munge + "/sock", "--pid-file=" + munge + "/pid",
             "--log-file=" + munge + "/log", "--seed-file=" + munge + "/seed", "--num-threads=2"},
            "munged");
  EXPECT_TRUE(Eventually(kStartSeconds, [&] {
    return access((munge + "/sock").c_str(), F_OK) == 0;
  })) << Slurp(directory_ + "/log/munged.err");
  controller_ = start({"/usr/sbin/slurmctld", "-D", "-c"}, "slurmctld");
  for (int i = 1; i <= nodes; ++i) {
    const std::string node = "n" + std::to_string(i);
    std::filesystem::create_directories(directory_ + "/spool/" + node);
    nodes_[node] = start({"/usr/sbin/slurmd", "-D", "-N", node}, node);
  }
  const auto all_idle = [&] {
    return Call({"sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D"}).out ==
           std::to_string(nodes) + "\n";
  };
  ready_ = Eventually(kStartSeconds, all_idle);
  EXPECT_TRUE(ready_) << Slurp(directory_ + "/log/slurmctld.err");
}

std::string SlurmCluster::ConfigText(int nodes, int port) const {
  const char* user = geteuid() == 0 ? "root" : std::getenv("USER");
  std::ostringstream text;
  text << kConfig << "SlurmUser=" << user << "\nSlurmdUser="
       << user
       // A requeued job waits for the end of its credential; this is the least there is.
       << "\nAuthInfo=socket=" << directory_ << "/munge/sock,cred_expire=5"
       << "\nSlurmctldPort=" << port << "\nSlurmctldPidFile=" << directory_
       << "/slurmctld.pid\nSlurmdPidFile=" << directory_
       << "/slurmd.%n.pid\nStateSaveLocation=" << directory_
       << "/state\nSlurmdSpoolDir=" << directory_ << "/spool/%n\n";
  for (int i = 1; i <= nodes; ++i) {
    text << "NodeName=n" << i << " NodeHostname=localhost NodeAddr=127.0.0.1 Port=" << port + i
         << " CPUs=1 Boards=1 SocketsPerBoard=1 CoresPerSocket=1 ThreadsPerCore=1 "
            "RealMemory=1000 Gres=gpu:2\n";
  }
  text << "PartitionName=main Nodes=n[1-" << nodes
       << "] Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=15\n"
       << "PartitionName=high Nodes=n[1-" << nodes << "] PriorityTier=10 PreemptMode=OFF\n";
  return text.str();
}

CommandResult SlurmCluster::Call(const std::vector<std::string>& arguments) const {
  return RunCommand(arguments, {.environment = {kPath, Environment()}});
}

std::string SlurmCluster::FactOf(const std::string& job, const std::string& fact) const {
  std::istringstream words(Call({"scontrol", "-o", "show", "job", job}).out);
  for (std::string word; words >> word;) {
    if (word.starts_with(fact + "=")) return word.substr(fact.size() + 1);
  }
  return "";
}

void SlurmCluster::LoseNode(const std::string& node) {
  nodes_.at(node)->Signal(SIGKILL);
  nodes_.at(node)->Wait(10);
  // The step's own daemons name the node in what they were started with.
  for (const pid_t pid : ProcessesOfJobs()) {
    const std::string process = "/proc/" + std::to_string(pid);
    const std::string name = Slurp(process + "/comm");
    const bool here =
        Slurp(process + "/environ").find("SLURMD_NODENAME=" + node) != std::string::npos;
    if (name == "slurmstepd\n" && here) kill(pid, SIGKILL);
  }
  Call({"scontrol", "update", "nodename=" + node, "state=down", "reason=lost"});
}

bool SlurmCluster::Runs(const std::string& program) const {
  const std::vector<pid_t> pids = ProcessesOfJobs();
  return std::any_of(pids.begin(), pids.end(), [&](pid_t pid) {
    return Slurp("/proc/" + std::to_string(pid) + "/cmdline").starts_with(program);
  });
}

std::vector<pid_t> SlurmCluster::ProcessesOfJobs() const {
  std::vector<pid_t> pids;
  for (const pid_t pid : AllProcesses()) {
    if (pid == getpid()) continue;
    const std::string environment = Slurp("/proc/" + std::to_string(pid) + "/environ");
    if (environment.find(Environment()) != std::string::npos) pids.push_back(pid);
  }
  return pids;
}

SlurmCluster::~SlurmCluster() {
  Call({"scancel", "--me"});
  Eventually(5, [&] { return Call({"squeue", "-h"}).out.empty(); });
  nodes_.clear();
  controller_.reset();
  for (const pid_t pid : ProcessesOfJobs()) kill(pid, SIGKILL);
  munged_.reset();
}

}  // namespace etude
