#include "client/fleet_render.h"

#include <memory>
#include <string>

#include "client/kubernetes.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

struct RenderFlags {
  std::string engine;
  std::string out;
  KubernetesOptions kubernetes;
};

absl::StatusOr<ExitCode> Render(Session& session, const RenderFlags& flags) {
  ASSIGN_OR_RETURN(const std::string manifests, KubernetesManifests(flags.kubernetes));
  if (flags.out.empty()) {
    session.PrintText(manifests);
    return ExitCode::kOk;
  }
  RETURN_IF_ERROR(OfLocalFile(WriteFileAtomically(flags.out, manifests)));
  session.Say("its first lines say what must be there; then type: kubectl apply -f " + flags.out);
  return ExitCode::kOk;
}

}  // namespace

void AddFleetRender(CommandTree& tree, CLI::App& fleet) {
  const auto flags = std::make_shared<RenderFlags>();
  CLI::App* command = AddCommand(
      tree, fleet,
      {"render",
       "Write the files of a coordinator and workers on Kubernetes.",
       {"etude fleet render --engine kubernetes --image registry.example/etude:0.1 > etude.yaml",
        "etude fleet render --engine kubernetes --image registry.example/etude:0.1 --workers 8 "
        "--cpus 4 --out etude.yaml"},
       "An image can be made from deploy/container/Containerfile. The manifests' first lines say\n"
       "which secrets they need and how to make them."},
      [flags](Session& session) { return Render(session, *flags); });
  KubernetesOptions& options = flags->kubernetes;
  command->add_option("--engine", flags->engine, "kubernetes")
      ->required()
      ->type_name("ENGINE")
      ->check(CLI::IsMember({"kubernetes"}));
  command->add_option("--image", options.image, "with etude-coordinator and etude-worker")
      ->required()
      ->type_name("IMAGE");
  command->add_option("--name", options.name, "of all objects (default: etude)")->type_name("NAME");
  command->add_option("--namespace", options.space, "(default: etude)")->type_name("NAME");
  command->add_option("--workers", options.workers, "(default: 1)")->type_name("N");
  command->add_option("--cpus", options.cpus, "of each worker (default: 1)")->type_name("N");
  command->add_option("--memory", options.memory, "of each worker (default: 2Gi)")
      ->type_name("SIZE");
  command->add_option("--gpus", options.gpus, "of each worker (default: 0)")->type_name("N");
  command->add_option("--volume", options.volume, "of the coordinator's state (default: 10Gi)")
      ->type_name("SIZE");
  command
      ->add_option("--storage-class", options.storage_class,
                   "of that volume (default: the cluster's)")
      ->type_name("NAME");
  command->add_option("--secret", options.secret, "what the secrets' names begin with")
      ->type_name("NAME");
  command->add_option("--out", flags->out, "(default: stdout)")->type_name("FILE");
}

}  // namespace etude
