// etude cert init
#include <memory>
#include <vector>

#include "client/certificates.h"
#include "client/command.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr unsigned kPublicMode = 0644;
constexpr unsigned kPrivateMode = 0600;
constexpr unsigned kDirectoryMode = 0700;

struct CertFlags {
  std::vector<std::string> hosts;
  std::string out;
};

struct NamedPair {
  const char* name;  // of its files: NAME.pem and NAME.key
  const char* use;
  PemPair CertificateSet::*pair;
};
constexpr NamedPair kPairs[] = {
    {"ca", "the authority: every machine gets ca.pem, ca.key stays here",
     &CertificateSet::authority},
    {"server", "the coordinator's", &CertificateSet::server},
    {"worker", "every worker's", &CertificateSet::worker},
    {"client", "every client's", &CertificateSet::client},
};

absl::Status WritePairs(const CertificateSet& set, const std::string& dir) {
  RETURN_IF_ERROR(MakeDirectories(dir, kDirectoryMode));
  for (const NamedPair& named : kPairs) {
    const PemPair& pair = set.*named.pair;
    const std::string path = dir + "/" + named.name;
    RETURN_IF_ERROR(WriteFileAtomically(path + ".pem", pair.cert, kPublicMode));
    RETURN_IF_ERROR(WriteFileAtomically(path + ".key", pair.key, kPrivateMode));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> InitCertificates(Session& session, const CertFlags& flags) {
  for (const NamedPair& named : kPairs) {
    if (!FileExists(flags.out + "/" + named.name + ".key")) continue;
    return WithHint(
        AlreadyExists(flags.out + " holds certificates already, which machines may use"),
        "etude cert init HOST --out ANOTHER_DIR");
  }
  ASSIGN_OR_RETURN(const CertificateSet set, MakeCertificates(flags.hosts, session.clock().Now()));
  RETURN_IF_ERROR(OfLocalFile(WritePairs(set, flags.out)));
  Report report{"certificates",
                {{{"directory", "directory"}, flags.out}, {{"hosts", "hosts"}, flags.hosts}},
                Table{{{"cert", "certificate"}, {"key", "key"}, {"use", "use"}}, {}},
                "none"};
  for (const NamedPair& named : kPairs) {
    report.list->rows.push_back({std::string(named.name) + ".pem", std::string(named.name) + ".key",
                                 std::string(named.use)});
  }
  session.Print(report);
  session.Say("next: etude token new worker --tokens " + flags.out + "/tokens --out " + flags.out +
              "/worker.token");
  return ExitCode::kOk;
}

}  // namespace

void AddCert(CommandTree& tree) {
  CLI::App* noun = AddNoun(
      tree, {"cert",
             "Certificates for a coordinator that other machines call.",
             {"etude cert init big-host --out tls", "etude cert init big-host 10.0.0.5 --out tls"},
             ""});
  const auto flags = std::make_shared<CertFlags>();
  CLI::App* init = AddCommand(
      tree, *noun,
      {"init",
       "Make an authority and certificates of the coordinator, workers and clients.",
       {"etude cert init big-host --out tls", "etude cert init big-host 10.0.0.5 --out tls"},
       "The hosts are the names or addresses under which others call the coordinator. Copy to "
       "each\n"
       "worker ca.pem, worker.pem, worker.key, to each client ca.pem, client.pem, client.key."},
      [flags](Session& session) { return InitCertificates(session, *flags); });
  init->add_option("hosts", flags->hosts, "as callers name the coordinator's machine")
      ->required()
      ->type_name("HOST");
  init->add_option("--out", flags->out, "where to; made if need be")->required()->type_name("DIR");
}

}  // namespace etude
