// A caching CPU allocator. glibc before 2.38 does not reuse the aligned chunks libtorch asks for when small allocations
// sit between them (glibc bug 14581): 51 MB of live tensors held 7.9 GB of memory. It also counts exactly.
#pragma once

#include <cstddef>

namespace smaug {

struct CpuMemory {
  size_t live, peak, cached;
};

// Makes it libtorch's CPU allocator; once per process, later calls do nothing.
void installCpuAllocator();

// Throws OutOfMemoryError when that many bytes more do not fit; emptying the cache is tried first. Linux promises more
// memory than it has and kills the process later, so large requests are checked.
void checkAvailable(size_t bytes);

CpuMemory cpuMemory();
void resetCpuPeak();
void emptyCpuCache();

}  // namespace smaug
