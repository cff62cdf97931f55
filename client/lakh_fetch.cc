#include "client/lakh_fetch.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "client/display_text.h"
#include "client/external_command.h"
#include "client/tar_gz.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kMaxDownloadTime = absl::Hours(48);
constexpr int kCannotResume = 33;  // curl's status: the server knows no ranges
constexpr char kLicenceNote[] =
    "Lakh MIDI Dataset v0.1: the collection CC-BY 4.0, cite C. Raffel, \"Learning-Based Methods "
    "for "
    "Comparing Sequences\", PhD thesis, 2016; the transcriptions and songs remain their owners'";

const std::array<LakhArchive, 2>& Archives() {
  static const auto& archives = *new std::array<LakhArchive, 2>{{
      {.source = "lakh-matched",
       .url = "http://hog.ee.columbia.edu/craffel/lmd/lmd_matched.tar.gz",
       .bytes = 1'407'072'670,
       .md5 = "fb80d01c22020295bb3eeef31f1aa63a",
       .sha256 = "621ff830aed771f469e5bfa13dc12a33c6ed69090adeda63d0b5c47783af0191"},
      {.source = "lakh-full",
       .url = "http://hog.ee.columbia.edu/craffel/lmd/lmd_full.tar.gz",
       .bytes = 1'768'163'879,
       .md5 = "2536ce3fd2cede53ddaa264f731859ab",
       .sha256 = "6fcfe2ac49ca08f3f214cec86ab138d4fc4dabcd7f27f491a838dae6db45a12b"},
  }};
  return archives;
}

std::vector<std::string> DownloadCommand(const std::string& url, const std::string& to) {
  return {"curl",
          "--fail",
          "--location",
          "--show-error",
          "--progress-bar",
          "--proto",
          "=http,https",
          "--connect-timeout",
          "30",
          "--speed-limit",
          "1000",
          "--speed-time",
          "60",
          "--retry",
          "3",
          "--continue-at",
          "-",
          "--output",
          to,
          "--",
          url};
}

std::int64_t SizeOf(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

absl::StatusOr<int> Curl(const std::string& url, const fs::path& part) {
  const absl::StatusOr<ExternalResult> exit =
      RunExternal({.arguments = DownloadCommand(url, part.string()),
                   .limit = kMaxDownloadTime,
                   .shares_stderr = true});
  if (absl::IsNotFound(exit.status())) {
    return NotFound("curl is not on this machine; install it with: apt-get install curl");
  }
  RETURN_IF_ERROR(exit.status());
  return exit->status;
}

absl::Status Download(const LakhArchive& archive, const std::string& url, const fs::path& part,
                      const FetchRequest& request) {
  if (part.has_parent_path()) RETURN_IF_ERROR(MakeDirectories(part.parent_path().string()));
  std::error_code ignored;
  if (SizeOf(part) > archive.bytes) fs::remove(part, ignored);
  if (const std::int64_t there = SizeOf(part); there > 0) {
    request.say(fmt::format("{}: {} are there already", part.string(),
                            BytesText(static_cast<double>(there))));
  }
  if (SizeOf(part) == archive.bytes) return absl::OkStatus();
  ASSIGN_OR_RETURN(int status, Curl(url, part));
  if (status == kCannotResume) {
    request.say("the server cannot go on in the middle; beginning again");
    fs::remove(part, ignored);
    ASSIGN_OR_RETURN(status, Curl(url, part));
  }
  if (status == 0) return absl::OkStatus();
  return Unavailable(fmt::format(
      "curl ended with status {} after {} of {} bytes; what came is kept, so go on with: {}",
      status, SizeOf(part), archive.bytes, request.RetryCommand()));
}

struct Sums {
  std::string md5;
  std::string sha256;
};

absl::StatusOr<Sums> SumsOf(const fs::path& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (file == nullptr) return FromErrno(errno, "open " + path.string());
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> md5(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(md5.get(), EVP_md5(), nullptr);
  Sha256 sha256;
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get());
    if (count == 0) break;
    EVP_DigestUpdate(md5.get(), buffer.data(), count);
    sha256.Update({buffer.data(), count});
  }
  if (std::ferror(file.get()) != 0) return FromErrno(errno, "read " + path.string());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(md5.get(), digest.data(), &size);
  Sums sums{.md5 = {}, .sha256 = sha256.HexDigest()};
  for (unsigned i = 0; i < size; ++i) sums.md5 += fmt::format("{:02x}", digest[i]);
  return sums;
}

absl::Status CheckSums(const LakhArchive& archive, const fs::path& path) {
  const std::int64_t size = SizeOf(path);
  ASSIGN_OR_RETURN(const Sums sums, SumsOf(path));
  if (size == archive.bytes && sums.md5 == archive.md5 && sums.sha256 == archive.sha256) {
    return absl::OkStatus();
  }
  return DataLoss(fmt::format(
      "{} is not the archive that was published: {} bytes, MD5 {}, SHA-256 {}; expected were {} "
      "bytes, {}, {}",
      path.string(), size, sums.md5, sums.sha256, archive.bytes, archive.md5, archive.sha256));
}

absl::StatusOr<FetchReport> Unpack(const LakhArchive& archive, const fs::path& path,
                                   const FetchRequest& request) {
  ASSIGN_OR_RETURN(const ScratchDirectory scratch, ScratchDirectory::Beside(request.dir));
  const fs::path result = scratch.path() / "result";
  RETURN_IF_ERROR(MakeDirectories(result.string()));
  const auto wanted = [](const std::string& name) { return name.ends_with(".mid"); };
  ASSIGN_OR_RETURN(const TarReport unpacked, UnpackTarGz(path.string(), result.string(), wanted));
  FetchedTree tree{.origin = {{"url", archive.url}, {"archive_sha256", archive.sha256}},
                   .licence_notes = {kLicenceNote},
                   .files = {},
                   .unlisted_files = unpacked.files,
                   .unlisted_bytes = unpacked.bytes};
  return PublishFetched(request, std::move(tree), result);
}

}  // namespace

const LakhArchive* FindLakhArchive(const std::string& source) {
  for (const LakhArchive& archive : Archives()) {
    if (archive.source == source) return &archive;
  }
  return nullptr;
}

absl::StatusOr<FetchReport> FetchLakh(const LakhArchive& archive, const LakhOptions& options,
                                      const FetchRequest& request) {
  const std::string url = options.url.empty() ? archive.url : options.url;
  const bool is_http = url.starts_with("http://") || url.starts_with("https://");
  if (!is_http || (!options.url.empty() && !options.from.empty())) {
    return InvalidArgument(fmt::format(
        "one of --url http://… and --from FILE; type: {} --from FILE", request.RetryCommand()));
  }
  request.say(fmt::format("licence: {}", kLicenceNote));
  if (!options.from.empty()) {
    request.say(fmt::format("unpacking {}", options.from));
    if (!FileExists(options.from)) return NotFound(options.from + ": no such file");
    RETURN_IF_ERROR(CheckSums(archive, options.from));
    return Unpack(archive, options.from, request);
  }
  const fs::path part = request.dir.string() + ".tar.gz.part";
  std::string command;
  for (const std::string& word : DownloadCommand(url, part.string())) command += word + " ";
  request.say(
      fmt::format("fetching {} with: {}", BytesText(static_cast<double>(archive.bytes)), command));
  RETURN_IF_ERROR(Download(archive, url, part, request));
  std::error_code ignored;
  if (const absl::Status sums = CheckSums(archive, part); !sums.ok()) {
    fs::remove(part, ignored);
    return DataLoss(fmt::format("{}; it was removed. Check the URL, then type: {}", MessageOf(sums),
                                request.RetryCommand()));
  }
  request.say("size, MD5 and SHA-256 are right; unpacking");
  ASSIGN_OR_RETURN(FetchReport report, Unpack(archive, part, request));
  fs::remove(part, ignored);
  return report;
}

}  // namespace etude
