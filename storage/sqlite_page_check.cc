#include "storage/sqlite_page_check.h"

#include <sqlite3.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kMinPageBytes = 512;
constexpr int kMaxPageBytes = 65536;
constexpr int kHeaderBytes = 100;
constexpr int kReservedAt = 20;  // in the header: bytes reserved at each page's end
constexpr char kMagic[] = "SQLite format 3";

using Check = std::array<std::uint32_t, 2>;
static_assert(sizeof(Check) == kPageCheckBytes);
static_assert(std::endian::native == std::endian::little, "the sums are stored as they are");

// As SQLite's own write-ahead log has it. Zeros have the sum zero: a page that was never written is
// none that was damaged.
Check SumOf(const unsigned char* bytes, int count) {
  Check sum = {0, 0};
  for (int i = 0; i < count; i += kPageCheckBytes) {
    Check words;
    std::memcpy(words.data(), bytes + i, sizeof(words));
    sum[0] += words[0] + sum[1];
    sum[1] += words[1] + sum[0];
  }
  return sum;
}

// A main database file; the system's own file follows it in memory.
struct CheckedFile {
  sqlite3_file base;
  bool checks;  // the file reserves bytes for the sums
};

CheckedFile& Checked(sqlite3_file* file) { return *reinterpret_cast<CheckedFile*>(file); }
sqlite3_file* Inner(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<CheckedFile*>(file) + 1);
}

bool IsPage(int count, sqlite3_int64 offset) {
  return count >= kMinPageBytes && count <= kMaxPageBytes && (count & (count - 1)) == 0 &&
         offset % count == 0;
}

// The header says whether there are sums, in whatever is read or written of the first page.
void NoteHeader(CheckedFile& file, const void* bytes, int count, sqlite3_int64 offset) {
  if (offset != 0 || count < kHeaderBytes || std::memcmp(bytes, kMagic, sizeof(kMagic)) != 0)
    return;
  file.checks = static_cast<const unsigned char*>(bytes)[kReservedAt] == kPageCheckBytes;
}

int Read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  const int code = Inner(file)->pMethods->xRead(Inner(file), bytes, count, offset);
  if (code != SQLITE_OK) return code;
  NoteHeader(Checked(file), bytes, count, offset);
  if (!Checked(file).checks || !IsPage(count, offset)) return SQLITE_OK;
  const auto* page = static_cast<const unsigned char*>(bytes);
  const Check sum = SumOf(page, count - kPageCheckBytes);
  return std::memcmp(sum.data(), page + count - kPageCheckBytes, sizeof(sum)) == 0
             ? SQLITE_OK
             : SQLITE_IOERR_DATA;
}

int Write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  NoteHeader(Checked(file), bytes, count, offset);
  if (!Checked(file).checks || !IsPage(count, offset)) {
    return Inner(file)->pMethods->xWrite(Inner(file), bytes, count, offset);
  }
  std::array<unsigned char, kMaxPageBytes> page;
  std::memcpy(page.data(), bytes, static_cast<std::size_t>(count));
  const Check sum = SumOf(page.data(), count - kPageCheckBytes);
  std::memcpy(page.data() + count - kPageCheckBytes, sum.data(), sizeof(sum));
  return Inner(file)->pMethods->xWrite(Inner(file), page.data(), count, offset);
}

// Everything else is the system's.
int Close(sqlite3_file* file) { return Inner(file)->pMethods->xClose(Inner(file)); }
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Inner(file)->pMethods->xTruncate(Inner(file), size);
}
int Sync(sqlite3_file* file, int flags) { return Inner(file)->pMethods->xSync(Inner(file), flags); }
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Inner(file)->pMethods->xFileSize(Inner(file), size);
}
int Lock(sqlite3_file* file, int level) { return Inner(file)->pMethods->xLock(Inner(file), level); }
int Unlock(sqlite3_file* file, int level) {
  return Inner(file)->pMethods->xUnlock(Inner(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* taken) {
  return Inner(file)->pMethods->xCheckReservedLock(Inner(file), taken);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Inner(file)->pMethods->xFileControl(Inner(file), operation, argument);
}
int SectorSize(sqlite3_file* file) { return Inner(file)->pMethods->xSectorSize(Inner(file)); }
int DeviceCharacteristics(sqlite3_file* file) {
  return Inner(file)->pMethods->xDeviceCharacteristics(Inner(file));
}
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** map) {
  return Inner(file)->pMethods->xShmMap(Inner(file), region, size, extend, map);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Inner(file)->pMethods->xShmLock(Inner(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { Inner(file)->pMethods->xShmBarrier(Inner(file)); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return Inner(file)->pMethods->xShmUnmap(Inner(file), remove);
}

// Version 2: with shared memory, without memory-mapped pages, which nobody would check.
constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

sqlite3_vfs* System(sqlite3_vfs* layer) { return static_cast<sqlite3_vfs*>(layer->pAppData); }

int Open(sqlite3_vfs* layer, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) {
    return System(layer)->xOpen(System(layer), name, file, flags, out_flags);
  }
  Checked(file) = {};
  const int code = System(layer)->xOpen(System(layer), name, Inner(file), flags, out_flags);
  if (code == SQLITE_OK) file->pMethods = &kMethods;
  return code;
}

sqlite3_vfs* MakeLayer() {
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  ENSURE(system != nullptr);
  static sqlite3_vfs layer = *system;  // everything but opening a file is the system's
  layer.szOsFile = static_cast<int>(sizeof(CheckedFile)) + system->szOsFile;
  layer.pNext = nullptr;
  layer.zName = "etude-checked";
  layer.pAppData = system;
  layer.xOpen = Open;
  ENSURE(sqlite3_vfs_register(&layer, /*makeDflt=*/0) == SQLITE_OK);
  return &layer;
}

// The write-ahead log, as https://sqlite.org/fileformat2.html#the_write_ahead_log has it.

constexpr std::size_t kWalHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint32_t kWalMagic = 0x377f0682;  // its lowest bit: the sums' words are big-endian

std::uint32_t BigEndian(const unsigned char* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
         (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

struct WalHeader {
  bool big_endian = false;
  std::size_t page_bytes = 0;
  std::array<unsigned char, 8> salts = {};
};

void Add(const WalHeader& header, const unsigned char* bytes, std::size_t count, Check& sum) {
  for (std::size_t i = 0; i < count; i += 8) {
    Check words;
    std::memcpy(words.data(), bytes + i, sizeof(words));
    if (header.big_endian) words = {BigEndian(bytes + i), BigEndian(bytes + i + 4)};
    sum[0] += words[0] + sum[1];
    sum[1] += words[1] + sum[0];
  }
}

bool Equals(const Check& sum, const unsigned char* stored) {
  return sum[0] == BigEndian(stored) && sum[1] == BigEndian(stored + 4);
}

absl::Status Damaged(const std::string& path, std::int64_t frame) {
  return DataLoss(path + "-wal: the results store's log is damaged at frame " +
                  std::to_string(frame) + ", and what was committed after it is lost with it. " +
                  "Restore a backup: etude db restore DIR --replace. Or, to go on without what was "
                  "committed after that, move the log aside: mv " +
                  path + "-wal " + path + "-wal.damaged");
}

}  // namespace

const char* PageCheckedFiles() {
  static const sqlite3_vfs* const layer = MakeLayer();
  return layer->zName;
}

// Once a frame is bad every later sum is of no use, but its salts still say that it is of this log.
absl::Status CheckWriteAheadLog(const std::string& path) {
  std::ifstream file(path + "-wal", std::ios::binary);
  std::array<unsigned char, kWalHeaderBytes> start;
  if (!file.read(reinterpret_cast<char*>(start.data()), start.size())) return absl::OkStatus();
  WalHeader header;
  header.big_endian = (BigEndian(start.data()) & 1) != 0;
  header.page_bytes = BigEndian(start.data() + 8);
  std::memcpy(header.salts.data(), start.data() + 16, header.salts.size());
  Check sum = {0, 0};
  Add(header, start.data(), kWalHeaderBytes - 8, sum);
  const bool known = (BigEndian(start.data()) & ~1U) == kWalMagic && Equals(sum, &start[24]) &&
                     IsPage(static_cast<int>(header.page_bytes), 0);
  // It is synced before the first frame is written, so one that never came to be is no loss.
  if (start == std::array<unsigned char, kWalHeaderBytes>{}) return absl::OkStatus();
  if (!known) return file.peek() == EOF ? absl::OkStatus() : Damaged(path, 0);
  std::vector<unsigned char> frame(kFrameHeaderBytes + header.page_bytes);
  std::int64_t bad = 0;           // the first one; 0: none
  bool commit_behind_it = false;  // so the next frame is of a transaction that began after a sync
  for (std::int64_t number = 1;
       file.read(reinterpret_cast<char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
       ++number) {
    const bool ours = std::memcmp(&frame[8], header.salts.data(), header.salts.size()) == 0;
    if (bad > 0 && commit_behind_it && ours) return Damaged(path, bad);
    if (bad == 0) {
      Add(header, frame.data(), 8, sum);
      Add(header, frame.data() + kFrameHeaderBytes, header.page_bytes, sum);
      if (!ours || !Equals(sum, &frame[16])) bad = number;
    }
    commit_behind_it |= bad > 0 && ours && BigEndian(&frame[4]) != 0;
  }
  return absl::OkStatus();
}

}  // namespace etude
