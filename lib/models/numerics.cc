#include "lib/models/numerics.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <stdlib.h>
#include <torch/headeronly/version.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/status.h"

namespace etude {
namespace {

// "model name" of the first processor.
std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string Build() {
  return "numerics " + std::to_string(kNumericsVersion) +
         ", LibTorch " TORCH_VERSION ", compiler " __VERSION__;
}

}  // namespace

absl::StatusOr<c10::Device> ResolveDevice(Device device) {
  const bool cuda = at::hasCUDA();
  if (device == Device::kCuda && !cuda) {
    return FailedPrecondition(
        "training on cuda: no CUDA device answers, or this LibTorch is built for CPUs only; set "
        "the worker's device to "
        "\"cpu\" or \"auto\"");
  }
  return c10::Device(cuda && device != Device::kCpu ? c10::kCUDA : c10::kCPU);
}

void PrepareLibTorch(int threads) {
  static const bool once = [] {
    at::globalContext().setFlushDenormal(true);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
    // That setting alone also fills every new tensor with NaN.
    at::globalContext().setDeterministicFillUninitializedMemory(false);
    // cuBLAS and cuDNN's RNNs repeat their bits only with a workspace of fixed size.
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    at::set_num_interop_threads(1);
    return true;
  }();
  static_cast<void>(once);
  at::set_num_threads(threads);
}

std::string NumericsOf(int threads, Device device) {
  const absl::StatusOr<c10::Device> resolved = ResolveDevice(device);
  const bool cuda = resolved.ok() && resolved->is_cuda();
  return nlohmann::json{{"build", Build()},
                        {"cpu", CpuModel() + ", " + at::get_cpu_capability()},
                        {"device", cuda ? "cuda" : "cpu"},
                        {"threads", threads}}
      .dump();
}

}  // namespace etude
