#pragma once

#include "environment.h"

namespace smaug {

// "cpu", "cuda:1" and the like as a device that is there; throws DeviceError. `meta` has shapes and no memory.
c10::Device deviceNamed(const std::string& name, bool metaToo = false);

Napi::Value accelerator(const Napi::CallbackInfo& info, Environment& state);
Napi::Value deviceName(const Napi::CallbackInfo& info, Environment& state);
Napi::Value synchronize(const Napi::CallbackInfo& info, Environment& state);
Napi::Value emptyCache(const Napi::CallbackInfo& info, Environment& state);
Napi::Value memoryStats(const Napi::CallbackInfo& info, Environment& state);
Napi::Value resetPeakMemory(const Napi::CallbackInfo& info, Environment& state);
Napi::Value reportMemory(const Napi::CallbackInfo& info, Environment& state);
Napi::Value threads(const Napi::CallbackInfo& info, Environment& state);
Napi::Value setThreads(const Napi::CallbackInfo& info, Environment& state);
Napi::Value versions(const Napi::CallbackInfo& info, Environment& state);

}  // namespace smaug
