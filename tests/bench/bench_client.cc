#include "tests/bench/bench_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/scaling/spec.h"
#include "proto/blob_client.h"
#include "proto/channel.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"
#include "tests/bench/worker_link.h"

namespace etude {
namespace {

constexpr char kCorpusName[] = "bench";
constexpr int kTokensPerStep = 8 * 64;  // batch and context of every run
constexpr int kMaxReplyBytes = 1 << 30;
constexpr absl::Duration kCallLimit = absl::Minutes(5);

std::string SpecOf(const SweepSize& size) {
  std::string spec = fmt::format(
      "name = \"{}\"\ncorpus = \"{}\"\n[train]\nbatch = 8\ncontext = 64\nrepeat = true\n"
      "[limits]\nmax_runs = {}\nmax_hours = 1000.0\n",
      size.name, kCorpusName, size.runs);
  for (int made = 0; made < size.runs;) {
    const int seeds = std::min(size.runs - made, static_cast<int>(kMaxValues));
    spec += fmt::format("[[grid]]\ntransformer = [\"1x16x2\"]\ntokens = [{}]\nseeds = [",
                        size.steps * kTokensPerStep);
    for (int i = 0; i < seeds; ++i, ++made) {
      spec += fmt::format("{}{}", i == 0 ? "" : ",",
                          size.first_seed + static_cast<std::uint64_t>(made));
    }
    spec += "]\n";
  }
  return spec;
}

nlohmann::json ManifestOf(const std::vector<ArtifactFile>& files) {
  nlohmann::json root = {
      {"format_version", "1.0"}, {"tokenizer", "char"}, {"vocab", 37}, {"chars_per_token", 1.0}};
  root["split"]["train"]["tokens"] = 1000000;
  root["split"]["val"]["tokens"] = 20000;
  root["split"]["test"]["tokens"] = 20000;
  for (const ArtifactFile& file : files) {
    root["files"].push_back({{"name", file.name}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  return root;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Ask(const CoordinatorAddress& address, v1::ClientService::Stub& stub,
                             const Request& request,
                             grpc::Status (v1::ClientService::Stub::*method)(grpc::ClientContext*,
                                                                             const Request&,
                                                                             Response*)) {
  grpc::ClientContext context;
  PrepareCall(address, kCallLimit, context);
  Response response;
  RETURN_IF_ERROR(FromGrpc((stub.*method)(&context, request, &response)));
  return response;
}

}  // namespace

BenchClient::BenchClient(const CoordinatorAddress& address)
    : address_(address),
      stub_(v1::ClientService::NewStub(MakeBenchChannel(address.endpoint, kMaxReplyBytes))) {}

absl::Status BenchClient::PushCorpus(const std::string& directory) {
  const CoordinatorChannel channel({.endpoint = address_.endpoint, .token = address_.token});
  BlobClient blobs(channel, SystemClock());
  const auto upload = [&](const std::string& name,
                          const std::string& bytes) -> absl::StatusOr<ArtifactFile> {
    const std::string path = directory + "/" + name;
    RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
    return blobs.Upload(path);
  };
  std::vector<ArtifactFile> files;
  for (const char* name : {"train.npy", "val.npy", "test.npy", "vocab.json"}) {
    ASSIGN_OR_RETURN(ArtifactFile file, upload(name, std::string("stands for ") + name));
    files.push_back(std::move(file));
  }
  ASSIGN_OR_RETURN(ArtifactFile manifest, upload("corpus.json", ManifestOf(files).dump()));
  files.push_back(std::move(manifest));
  v1::PushCorpusRequest request;
  request.set_name(kCorpusName);
  for (const ArtifactFile& file : files) *request.add_files() = ToWire(file);
  return Ask(address_, *stub_, request, &v1::ClientService::Stub::PushCorpus).status();
}

absl::StatusOr<v1::SubmitSweepResponse> BenchClient::Submit(const SweepSize& size) {
  v1::SubmitSweepRequest request;
  request.set_spec_toml(SpecOf(size));
  request.set_file_name("bench.toml");
  return Ask(address_, *stub_, request, &v1::ClientService::Stub::SubmitSweep);
}

absl::StatusOr<v1::ListRunsResponse> BenchClient::ListRuns(const std::string& sweep, int offset,
                                                           int limit) {
  v1::ListRunsRequest request;
  request.set_sweep(sweep);
  request.set_offset(offset);
  request.set_limit(limit);
  return Ask(address_, *stub_, request, &v1::ClientService::Stub::ListRuns);
}

absl::StatusOr<std::int64_t> BenchClient::CountCurve(const std::string& run) {
  grpc::ClientContext context;
  PrepareCall(address_, kCallLimit, context);
  v1::GetCurveRequest request;
  request.set_run(run);
  const auto reader = stub_->GetCurve(&context, request);
  v1::GetCurveResponse response;
  std::int64_t points = 0;
  while (reader->Read(&response)) points += response.points().step_size();
  RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  return points;
}

absl::StatusOr<v1::GetInfoResponse> BenchClient::Info() {
  return Ask(address_, *stub_, v1::GetInfoRequest(), &v1::ClientService::Stub::GetInfo);
}

}  // namespace etude
