// Devices through libtorch's device-neutral API, so that one binary serves CPU and CUDA.
#include "device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

#include "allocator.h"
#include "errors.h"

namespace smaug {

namespace {

// With its index, which a bare "cuda" lacks.
c10::Device deviceArgument(const Napi::CallbackInfo& info, size_t index) {
  const c10::Device device = deviceNamed(stringArgument(info, index));
  return device.is_cpu() || device.has_index() ? device : c10::Device(device.type(), at::accelerator::getDeviceIndex());
}

Napi::Object statistics(Napi::Env env, double live, double peak, double cached) {
  auto object = Napi::Object::New(env);
  object["live"] = live;
  object["peak"] = peak;
  object["cached"] = cached;
  return object;
}

}  // namespace

c10::Device deviceNamed(const std::string& name, bool metaToo) {
  const auto accelerator = at::accelerator::getAccelerator();
  const int count = accelerator.has_value() ? at::accelerator::deviceCount() : 0;
  try {
    const c10::Device device(name);
    const bool isHere = device.is_cpu() || (device.is_meta() && metaToo) ||
                        (accelerator == device.type() && count > 0 && device.index() < count);
    if (isHere && device.str() == name) return device;  // an index of more than a byte would come back as another
  } catch (const std::exception&) {  // not a device's name at all
  }
  std::string here = "cpu";
  for (int i = 0; i < count; i++) here += ", " + c10::Device(*accelerator, static_cast<c10::DeviceIndex>(i)).str();
  throw BoundaryError("DeviceError", "Expected a device that is here (" + here + ") but received '" + name + "'");
}

// { type, count } of the accelerator this libtorch was built for and can use, or null.
Napi::Value accelerator(const Napi::CallbackInfo& info, Environment&) {
  const auto type = at::accelerator::getAccelerator();
  const int count = type.has_value() ? at::accelerator::deviceCount() : 0;
  if (count == 0) return info.Env().Null();
  auto object = Napi::Object::New(info.Env());
  object["type"] = c10::DeviceTypeName(*type, true);
  object["count"] = count;
  return object;
}

// libtorch has no neutral call for a name; the driver's C interface is stable, and is loaded when CUDA is in use.
Napi::Value deviceName(const Napi::CallbackInfo& info, Environment&) {
  const c10::Device device = deviceArgument(info, 0);
  using GetDevice = int (*)(int*, int);
  using GetName = int (*)(char*, int, int);
  if (device.is_cuda()) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    const auto get = driver ? reinterpret_cast<GetDevice>(dlsym(driver, "cuDeviceGet")) : nullptr;
    const auto name = driver ? reinterpret_cast<GetName>(dlsym(driver, "cuDeviceGetName")) : nullptr;
    int handle = 0;
    char text[256] = {0};
    if (get != nullptr && name != nullptr && get(&handle, device.index()) == 0 && name(text, sizeof text - 1, handle) == 0)
      return Napi::String::New(info.Env(), text);
  }
  return Napi::String::New(info.Env(), device.str());
}

Napi::Value synchronize(const Napi::CallbackInfo& info, Environment&) {
  const c10::Device device = deviceArgument(info, 0);
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
  return info.Env().Undefined();
}

Napi::Value emptyCache(const Napi::CallbackInfo& info, Environment&) {
  if (deviceArgument(info, 0).is_cpu()) emptyCpuCache();
  else at::accelerator::emptyCache();
  return info.Env().Undefined();
}

// Bytes: in use by tensors, the most there ever were, and held for reuse.
Napi::Value memoryStats(const Napi::CallbackInfo& info, Environment&) {
  const c10::Device device = deviceArgument(info, 0);
  if (device.is_cpu()) {
    const CpuMemory memory = cpuMemory();
    return statistics(info.Env(), memory.live, memory.peak, memory.cached);
  }
  if (!at::getDeviceAllocator(device.type())->initialized()) {  // nothing used yet
    Napi::Object object = statistics(info.Env(), 0, 0, 0);
    object["free"] = static_cast<double>(at::accelerator::getMemoryInfo(device.index()).first);
    return object;
  }
  const auto stats = at::accelerator::getDeviceStats(device.index());
  const auto& used = stats.allocated_bytes[0];  // 0: the sum over all pools
  const double cached = stats.reserved_bytes[0].current - used.current;
  Napi::Object object = statistics(info.Env(), used.current, used.peak, cached);
  object["free"] = static_cast<double>(at::accelerator::getMemoryInfo(device.index()).first) + cached;
  return object;
}

Napi::Value resetPeakMemory(const Napi::CallbackInfo& info, Environment&) {
  const c10::Device device = deviceArgument(info, 0);
  if (device.is_cpu()) resetCpuPeak();
  else if (at::getDeviceAllocator(device.type())->initialized()) at::accelerator::resetPeakStats(device.index());
  return info.Env().Undefined();
}

// Tells V8 how much memory tensors hold outside its heap, as one difference since the last call.
Napi::Value reportMemory(const Napi::CallbackInfo& info, Environment& state) {
  const auto live = static_cast<int64_t>(cpuMemory().live);
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), live - state.reportedBytes);
  state.reportedBytes = live;
  return info.Env().Undefined();
}

Napi::Value threads(const Napi::CallbackInfo& info, Environment&) {
  return Napi::Number::New(info.Env(), at::get_num_threads());
}

Napi::Value setThreads(const Napi::CallbackInfo& info, Environment&) {
  const int32_t count = intArgument(info, 0);
  // OpenMP ends the process when it cannot start them.
  if (count < 1 || count > 1024) throw BoundaryError("TypeError", "native call: expected 1 to 1024 threads");
  at::set_num_threads(count);
  return info.Env().Undefined();
}

// The libtorch this addon was compiled for, and what the loaded one says of itself.
Napi::Value versions(const Napi::CallbackInfo& info, Environment&) {
  auto object = Napi::Object::New(info.Env());
  object["compiled"] = TORCH_VERSION;
  object["config"] = at::show_config();
  return object;
}

}  // namespace smaug
