#include "allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

namespace smaug {

namespace {

constexpr size_t kAlignment = 64;            // libtorch's own; also the room before the data that holds the size class
constexpr size_t kSmallest = 64;             // bytes; below, all share one class
constexpr size_t kCheckedFrom = 256u << 20;  // so many new bytes are compared with the memory there is
constexpr size_t kClasses = 8 * 64;
constexpr size_t kMapped = 128u << 10;       // from here blocks come from the system, and go back to it at once when freed
constexpr size_t kSpare = 64u << 20;  // bytes held beyond the most that was ever in use, and a quarter of that

// Size classes are eighths of a power of two, so at most 12.5 % of a block is unused.
size_t classOf(size_t bytes) {
  if (bytes <= kSmallest) bytes = kSmallest;
  const int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
  const size_t step = size_t{1} << (power > 3 ? power - 3 : 0);
  return static_cast<size_t>(power) * 8 + (bytes - 1 - (size_t{1} << power)) / step;
}

size_t classBytes(size_t sizeClass) {
  const int power = static_cast<int>(sizeClass / 8);
  return (size_t{1} << power) + (sizeClass % 8 + 1) * (size_t{1} << (power > 3 ? power - 3 : 0));
}

// The number after `key` in a file of words and numbers, or the first number when there is no key; SIZE_MAX for none.
size_t readNumber(const char* path, const std::string& key = "") {
  std::ifstream file(path);
  for (std::string word; word != key && file >> word;) {
  }
  size_t number = 0;
  return file >> number ? number : SIZE_MAX;
}

// The container's limit; SIZE_MAX without one.
size_t memoryLimit() { return readNumber("/sys/fs/cgroup/memory.max"); }

// What the system and the container still have, in bytes; SIZE_MAX when neither says.
size_t availableMemory() {
  const size_t kibibytes = readNumber("/proc/meminfo", "MemAvailable:");
  const size_t available = kibibytes == SIZE_MAX ? SIZE_MAX : kibibytes << 10;
  const size_t limit = memoryLimit();
  size_t used = readNumber("/sys/fs/cgroup/memory.current");
  if (limit == SIZE_MAX || used == SIZE_MAX) return available;
  for (const char* cache : {"inactive_file", "active_file"}) {  // counted as used, but given back when asked for
    const size_t reclaimable = readNumber("/sys/fs/cgroup/memory.stat", cache);
    if (reclaimable != SIZE_MAX) used -= std::min(used, reclaimable);
  }
  return std::min(available, limit > used ? limit - used : 0);
}

// The most that is held for reuse: a quarter of the memory there is.
size_t cacheCapacity() {
  const size_t physical = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return std::min(physical, memoryLimit()) / 4;
}

class CachingCpuAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &deallocate, c10::Device(c10::kCPU)};
    void* data = take(bytes);
    return {data, data, &deallocate, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &deallocate; }

  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

  CpuMemory memory() {
    std::lock_guard<std::mutex> lock(mutex_);
    return {live_, peak_, cached_};
  }

  void resetPeak() {
    std::lock_guard<std::mutex> lock(mutex_);
    peak_ = live_;
  }

  void checkAvailable(size_t bytes) {
    if (bytes < kCheckedFrom || bytes <= availableMemory()) return;
    std::lock_guard<std::mutex> lock(mutex_);
    releaseCached();
    if (bytes > availableMemory()) outOfMemory(bytes);
  }

  void emptyCache() {
    std::lock_guard<std::mutex> lock(mutex_);
    releaseCached();
  }

  static CachingCpuAllocator& instance() {
    static auto* allocator = new CachingCpuAllocator();  // never destroyed: tensors may outlive static destructors
    return *allocator;
  }

 private:
  static void deallocate(void* data) {
    if (data != nullptr) instance().give(data);
  }

  static size_t& classAt(void* data) { return *reinterpret_cast<size_t*>(static_cast<char*>(data) - kAlignment); }

  void* take(size_t bytes) {
    TORCH_CHECK_WITH(OutOfMemoryError, bytes < size_t{1} << 47, "cannot allocate ", bytes, " bytes on the CPU");
    const size_t sizeClass = classOf(bytes);
    const size_t size = classBytes(sizeClass);
    std::lock_guard<std::mutex> lock(mutex_);
    void* data = nullptr;
    if (!cache_[sizeClass].empty()) {
      data = cache_[sizeClass].back();
      cache_[sizeClass].pop_back();
      cached_ -= size;
      live_ += size;
    } else {
      data = fresh(size);
      classAt(data) = sizeClass;
      live_ += size;
      trim();
    }
    if (live_ > peak_) peak_ = live_;
    if (live_ > most_) most_ = live_;
    return data;
  }

  void give(void* data) {
    const size_t sizeClass = classAt(data);
    const size_t size = classBytes(sizeClass);
    std::lock_guard<std::mutex> lock(mutex_);
    live_ -= size;
    cache_[sizeClass].push_back(data);
    lastUse_[sizeClass] = ++uses_;
    cached_ += size;
    trim();
  }

  // Steps of many different lengths would otherwise leave each its own blocks behind.
  void trim() {
    const size_t bound = std::max(live_, most_) + most_ / 4 + kSpare;
    while (cached_ > 0 && (cached_ > capacity_ || live_ + cached_ > bound)) releaseClass(leastRecentlyUsed());
  }

  size_t leastRecentlyUsed() const {
    size_t oldest = 0;
    for (size_t i = 1; i < kClasses; i++)
      if (cache_[oldest].empty() || (!cache_[i].empty() && lastUse_[i] < lastUse_[oldest])) oldest = i;
    return oldest;
  }

  void releaseClass(size_t sizeClass) {
    const size_t size = classBytes(sizeClass);
    for (void* data : cache_[sizeClass]) giveBack(static_cast<char*>(data) - kAlignment, size + kAlignment);
    cached_ -= cache_[sizeClass].size() * size;
    cache_[sizeClass].clear();
  }

  void* fresh(size_t size) {
    unchecked_ += size;
    if (unchecked_ >= kCheckedFrom) {
      unchecked_ = 0;
      if (size > availableMemory()) releaseCached();
      if (size > availableMemory()) outOfMemory(size);
    }
    void* block = request(size + kAlignment);
    if (block == nullptr) {
      releaseCached();
      block = request(size + kAlignment);
      if (block == nullptr) outOfMemory(size);
    }
    return static_cast<char*>(block) + kAlignment;
  }

  static void* request(size_t bytes) {
    void* block = nullptr;
    if (bytes < kMapped) return posix_memalign(&block, kAlignment, bytes) == 0 ? block : nullptr;
    block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? nullptr : block;
  }

  static void giveBack(void* block, size_t bytes) {
    if (bytes < kMapped) std::free(block);
    else munmap(block, bytes);
  }

  [[noreturn]] void outOfMemory(size_t size) {
    TORCH_CHECK_WITH(OutOfMemoryError, false, "cannot allocate ", size, " bytes on the CPU: ", live_,
                     " bytes are in use by tensors and ", availableMemory(), " bytes are available");
  }

  void releaseCached() {
    for (size_t i = 0; i < kClasses; i++) releaseClass(i);
#ifdef __GLIBC__
    malloc_trim(0);  // small blocks lie in glibc's own heap, which it would keep
#endif
  }

  std::mutex mutex_;
  std::vector<void*> cache_[kClasses];
  uint64_t lastUse_[kClasses] = {}, uses_ = 0;
  size_t live_ = 0, peak_ = 0, cached_ = 0;
  size_t most_ = 0;  // as peak_, never reset
  size_t unchecked_ = 0;  // bytes taken from the system since the last look at what it has
  const size_t capacity_ = cacheCapacity();
};

}  // namespace

void installCpuAllocator() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetAllocator(c10::kCPU, &CachingCpuAllocator::instance(), 100); });
}

void checkAvailable(size_t bytes) { CachingCpuAllocator::instance().checkAvailable(bytes); }
CpuMemory cpuMemory() { return CachingCpuAllocator::instance().memory(); }
void resetCpuPeak() { CachingCpuAllocator::instance().resetPeak(); }
void emptyCpuCache() { CachingCpuAllocator::instance().emptyCache(); }

}  // namespace smaug
