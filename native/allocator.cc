#include "allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
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
constexpr size_t kCheckedFrom = 256u << 20;  // from here an allocation is compared with the memory there is
constexpr size_t kClasses = 8 * 64;

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

// Beyond this, freed blocks go back to the system: a quarter of the memory there is.
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
    } else {
      data = fresh(size);
      classAt(data) = sizeClass;
    }
    live_ += size;
    if (live_ > peak_) peak_ = live_;
    return data;
  }

  void give(void* data) {
    const size_t sizeClass = classAt(data);
    const size_t size = classBytes(sizeClass);
    std::lock_guard<std::mutex> lock(mutex_);
    live_ -= size;
    if (cached_ + size > capacity_) return std::free(static_cast<char*>(data) - kAlignment);
    cache_[sizeClass].push_back(data);
    cached_ += size;
  }

  void* fresh(size_t size) {
    if (size >= kCheckedFrom && size > availableMemory()) {
      releaseCached();
      if (size > availableMemory()) outOfMemory(size);
    }
    void* block = nullptr;
    if (posix_memalign(&block, kAlignment, size + kAlignment) != 0) {
      releaseCached();
      if (posix_memalign(&block, kAlignment, size + kAlignment) != 0) outOfMemory(size);
    }
    return static_cast<char*>(block) + kAlignment;
  }

  [[noreturn]] void outOfMemory(size_t size) {
    TORCH_CHECK_WITH(OutOfMemoryError, false, "cannot allocate ", size, " bytes on the CPU: ", live_,
                     " bytes are in use by tensors and ", availableMemory(), " bytes are available");
  }

  void releaseCached() {
    for (auto& blocks : cache_) {
      for (void* data : blocks) std::free(static_cast<char*>(data) - kAlignment);
      blocks.clear();
    }
    cached_ = 0;
#ifdef __GLIBC__
    malloc_trim(0);  // small blocks lie in glibc's own heap, which it would keep
#endif
  }

  std::mutex mutex_;
  std::vector<void*> cache_[kClasses];
  size_t live_ = 0, peak_ = 0, cached_ = 0;
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
