#include "client/kubernetes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "lib/base/status.h"

namespace etude {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

KubernetesOptions MakeOptions() {
  KubernetesOptions options;
  options.image = "registry.example:5000/music/etude:0.1";
  return options;
}

std::string Manifests(const KubernetesOptions& options) {
  const absl::StatusOr<std::string> manifests = KubernetesManifests(options);
  EXPECT_TRUE(manifests.ok()) << manifests.status();
  return manifests.value_or("");
}

std::size_t CountOf(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<std::string> Documents(const std::string& text) {
  std::vector<std::string> documents;
  std::size_t begin = text.find("\n---\n");
  while (begin != text.npos) {
    const std::size_t end = text.find("\n---\n", begin + 1);
    documents.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return documents;
}

// The one document with `part`.
std::string DocumentWith(const std::string& text, const std::string& part) {
  std::string found;
  for (const std::string& document : Documents(text)) {
    if (document.find(part) == document.npos) continue;
    EXPECT_EQ(found, "") << "a second document with " << part;
    found = document;
  }
  EXPECT_NE(found, "") << "no document with " << part;
  return found;
}

std::string WorkerPods(const KubernetesOptions& options) {
  return DocumentWith(Manifests(options), "kind: Deployment");
}
std::string CoordinatorPods(const KubernetesOptions& options) {
  return DocumentWith(Manifests(options), "kind: StatefulSet");
}

// What tests/oracles/check_manifests.py says against them; empty: nothing.
std::string ComplaintOf(const std::string& manifests) {
  const char* configured = std::getenv("ETUDE_PYTHON");
  const std::string python = configured != nullptr ? configured : ".deps/venv/bin/python3";
  EXPECT_TRUE(std::filesystem::exists(python))
      << python << ": no such Python; run make setup, or set ETUDE_PYTHON";
  std::string path = testing::TempDir() + "etude.manifests.XXXXXX";
  close(mkstemp(path.data()));
  std::ofstream(path) << manifests;
  FILE* pipe = popen((python + " tests/oracles/check_manifests.py " + path + " 2>&1").c_str(), "r");
  std::string answer;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) answer += buffer;
  const bool content = pclose(pipe) == 0;
  unlink(path.c_str());
  EXPECT_NE(answer, "");
  return content ? "" : answer;
}

TEST(KubernetesTest, KubernetesTakesThem) {
  EXPECT_EQ(ComplaintOf(Manifests(MakeOptions())), "");
  KubernetesOptions options = MakeOptions();
  options.workers = 0;
  options.cpus = 8;
  options.gpus = 1;
  options.storage_class = "fast.ssd";
  EXPECT_EQ(ComplaintOf(Manifests(options)), "");
}

TEST(KubernetesTest, ANameThatYamlReadsOtherwiseStaysAName) {
  KubernetesOptions options = MakeOptions();
  options.name = "null";
  options.space = "123";
  options.image = "1e3";
  options.storage_class = "true";
  options.secret = "0x1f";
  EXPECT_EQ(ComplaintOf(Manifests(options)), "");
}

struct Planted {
  const char* sound;
  const char* faulty;
  const char* complaint;
};

class PlantedFaultTest : public testing::TestWithParam<Planted> {};

TEST_P(PlantedFaultTest, IsFound) {
  std::string manifests = Manifests(MakeOptions());
  const std::string sound = GetParam().sound;
  ASSERT_NE(manifests.find(sound), manifests.npos);
  manifests.replace(manifests.find(sound), sound.size(), GetParam().faulty);
  EXPECT_THAT(ComplaintOf(manifests), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    All, PlantedFaultTest,
    testing::Values(Planted{"mountPath: /tmp", "mountPfad: /tmp", "'mountPath' is a required"},
                    Planted{"name: tmp, mountPath", "name: temp, mountPath", "no such volume"},
                    Planted{"{tcpSocket: {port: grpc}", "{tcpSocket: {port: http}", "probe of no"},
                    Planted{"component: worker}\n  template", "component: other}\n  template",
                            "selects not its pods"},
                    Planted{"component: worker}\n        - podS",
                            "component: other}\n        - podS", "no pod's labels"},
                    Planted{"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false",
                            "may write to its root"},
                    Planted{"replicas: 1", "replicas: 1\n  replicas: 2", "stands twice"}));

TEST(KubernetesTest, NoPodRunsAsRootOrWritesToItsRoot) {
  for (const std::string& pods : {WorkerPods(MakeOptions()), CoordinatorPods(MakeOptions())}) {
    EXPECT_EQ(CountOf(pods, "        runAsNonRoot: true\n"), 1u);
    EXPECT_EQ(CountOf(pods, "automountServiceAccountToken: false\n"), 1u);
    const std::size_t containers = CountOf(pods, "\n          image: ");
    EXPECT_EQ(containers, 2u);
    EXPECT_EQ(CountOf(pods, "            readOnlyRootFilesystem: true\n"), containers);
    EXPECT_EQ(CountOf(pods, "            allowPrivilegeEscalation: false\n"), containers);
    EXPECT_EQ(CountOf(pods, "            capabilities: {drop: [ALL]}\n"), containers);
  }
}

TEST(KubernetesTest, KeysAreCopiedToFilesThatOnlyTheirOwnerReads) {
  for (const std::string& pods : {WorkerPods(MakeOptions()), CoordinatorPods(MakeOptions())}) {
    EXPECT_THAT(pods, HasSubstr("command: [install, -m, \"0600\", -t, /etc/etude/tls]"));
    EXPECT_THAT(pods, HasSubstr("{name: tls, mountPath: /etc/etude/tls, readOnly: true}"));
    EXPECT_THAT(pods, HasSubstr("{name: tls, emptyDir: {medium: Memory"));
    EXPECT_THAT(pods, HasSubstr("fsGroupChangePolicy: OnRootMismatch"));
  }
}

TEST(KubernetesTest, NoSideSeesTheOthersKey) {
  const std::string worker = WorkerPods(MakeOptions());
  EXPECT_THAT(worker, HasSubstr("secretName: \"etude-tls-worker\""));
  EXPECT_THAT(worker, Not(HasSubstr("etude-tls-coordinator")));
  EXPECT_THAT(worker, Not(HasSubstr("server.")));
  EXPECT_THAT(worker, Not(HasSubstr("/tokens")));
  const std::string coordinator = CoordinatorPods(MakeOptions());
  EXPECT_THAT(coordinator, HasSubstr("secretName: \"etude-tls-coordinator\""));
  EXPECT_THAT(coordinator, Not(HasSubstr("worker.")));
  EXPECT_THAT(worker + coordinator, Not(HasSubstr("ca.key")));
}

TEST(KubernetesTest, GpusAskForCuda) {
  KubernetesOptions options = MakeOptions();
  EXPECT_THAT(WorkerPods(options), HasSubstr("- --device=cpu\n"));
  EXPECT_THAT(WorkerPods(options), Not(HasSubstr("nvidia.com")));
  options.gpus = 2;
  EXPECT_THAT(WorkerPods(options), HasSubstr("- --device=cuda\n"));
  EXPECT_EQ(CountOf(WorkerPods(options), "nvidia.com/gpu: 2}"), 2u) << "request and limit";
  EXPECT_THAT(WorkerPods(options), HasSubstr("tolerations:"));
  EXPECT_THAT(CoordinatorPods(options), Not(HasSubstr("nvidia.com")));
}

TEST(KubernetesTest, WorkersGetWhatTheyAreToUse) {
  KubernetesOptions options = MakeOptions();
  options.workers = 7;
  options.cpus = 3;
  options.memory = "1536Mi";
  const std::string worker = WorkerPods(options);
  EXPECT_THAT(worker, HasSubstr("\n  replicas: 7\n"));
  EXPECT_THAT(worker, HasSubstr("- --threads=3\n"));
  EXPECT_THAT(worker, HasSubstr("requests: {cpu: 3, memory: \"1536Mi\"}\n"));
  EXPECT_THAT(worker, HasSubstr("limits: {cpu: 3, memory: \"1536Mi\"}\n"));
}

TEST(KubernetesTest, ThePreparationNamesWhatThePodsMount) {
  KubernetesOptions options = MakeOptions();
  options.name = "folk";
  options.space = "music";
  options.secret = "keys";
  const std::string text = Manifests(options);
  EXPECT_THAT(text, HasSubstr("etude cert init folk-coordinator.music.svc folk-coordinator "));
  EXPECT_THAT(text, HasSubstr("kubectl -n music create secret generic keys-worker "));
  EXPECT_THAT(WorkerPods(options), HasSubstr("- --endpoint=folk-coordinator:7433\n"));
  EXPECT_THAT(WorkerPods(options), HasSubstr("secretName: \"keys-worker\""));
  EXPECT_THAT(CoordinatorPods(options), HasSubstr("secretName: \"keys-coordinator\""));
}

TEST(KubernetesTest, TheCoordinatorCallsNobody) {
  const std::string policy = DocumentWith(Manifests(MakeOptions()), "\n  egress: []");
  EXPECT_THAT(policy, HasSubstr("policyTypes: [Ingress, Egress]"));
  EXPECT_THAT(policy, HasSubstr("name: \"etude-coordinator\""));
  EXPECT_EQ(CountOf(policy, "port: "), 1u);
}

struct Refused {
  const char* flag;
  std::string KubernetesOptions::*field;
  std::vector<std::string> values;
};

class RefusedTextTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedTextTest, NamesItsFlag) {
  std::vector<std::string> values = {"a\nb",      "a\n",
                                     "\na",       "a\"b",
                                     "a'b",       "a: b",
                                     "a #b",      "{a}",
                                     "a\\b",      "*a",
                                     "a\xc3\xa9", "${a}",
                                     "a b",       "-a",
                                     "a-",        std::string("a\0b", 3),
                                     "../a",      std::string(300, 'a')};
  values.insert(values.end(), GetParam().values.begin(), GetParam().values.end());
  for (const std::string& value : values) {
    KubernetesOptions options = MakeOptions();
    options.*GetParam().field = value;
    const absl::Status status = KubernetesManifests(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << value;
    EXPECT_THAT(MessageOf(status), StartsWith(std::string(GetParam().flag) + ": ")) << value;
  }
}

const std::vector<std::string> kNoQuantities = {"",    "2",    "0Gi",   "02Gi",          "2m",
                                                "1e3", "-1Gi", "1.5Gi", "2gi",           "2GiB",
                                                "Gi",  "2 Gi", "2Gi\n", "12345678901Gi", "2Gi}"};

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTextTest,
    testing::Values(
        Refused{"--name", &KubernetesOptions::name, {"", "A", "1a", "a.b", std::string(41, 'a')}},
        Refused{"--namespace", &KubernetesOptions::space, {"", "A", "a.b", std::string(64, 'a')}},
        Refused{"--image",
                &KubernetesOptions::image,
                {"", "UPPER", "a:", "a:b:c", "a//b", "/a", "a@sha256:12",
                 "a:" + std::string(129, 'b')}},
        Refused{"--memory", &KubernetesOptions::memory, kNoQuantities},
        Refused{"--volume", &KubernetesOptions::volume, kNoQuantities},
        Refused{"--storage-class", &KubernetesOptions::storage_class, {"A", ".a", "a..b", "a."}},
        Refused{"--secret", &KubernetesOptions::secret, {"", "A", "a..b", std::string(241, 'a')}}));

struct RefusedCount {
  const char* flag;
  int KubernetesOptions::*field;
  int value;
};

class RefusedCountTest : public testing::TestWithParam<RefusedCount> {};

TEST_P(RefusedCountTest, NamesItsFlag) {
  KubernetesOptions options = MakeOptions();
  options.*GetParam().field = GetParam().value;
  const absl::Status status = KubernetesManifests(options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(MessageOf(status), StartsWith(std::string(GetParam().flag) + " "));
}

INSTANTIATE_TEST_SUITE_P(All, RefusedCountTest,
                         testing::Values(RefusedCount{"--workers", &KubernetesOptions::workers, -1},
                                         RefusedCount{"--workers", &KubernetesOptions::workers,
                                                      1001},
                                         RefusedCount{"--cpus", &KubernetesOptions::cpus, 0},
                                         RefusedCount{"--cpus", &KubernetesOptions::cpus, 1025},
                                         RefusedCount{"--gpus", &KubernetesOptions::gpus, -1},
                                         RefusedCount{"--gpus", &KubernetesOptions::gpus, 65}));

TEST(KubernetesTest, OrdinaryImagesAreFine) {
  for (const std::string image :
       {"etude", "etude:latest", "ghcr.io/a/b_c/etude-x:v1.2-rc.1", "localhost:5000/etude",
        "r.example/"
        "etude@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}) {
    KubernetesOptions options = MakeOptions();
    options.image = image;
    EXPECT_THAT(Manifests(options), HasSubstr("image: \"" + image + "\"\n"));
  }
}

}  // namespace
}  // namespace etude
