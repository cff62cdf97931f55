// The client: etude COMMAND.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "client/command.h"

namespace {

std::optional<std::string> FromEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string ProgramDir() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

}  // namespace

int main(int argc, char** argv) {
  // The library's own log would mix with what people read.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const etude::Session::World world{std::cout,
                                    std::cerr,
                                    FromEnvironment,
                                    etude::DetectTerminal(FromEnvironment),
                                    etude::SystemClock(),
                                    ProgramDir()};
  const etude::ExitCode code = etude::RunProgram(arguments, world);
  if (std::cout.flush() || errno == EPIPE) return static_cast<int>(code);  // `| head` is fine
  std::cerr << "etude: stdout cannot be written: " << std::strerror(errno)
            << "\n  try: the same command with another target, once there is space\n";
  return static_cast<int>(etude::ExitCode::kInternal);
}
