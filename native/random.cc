// Random number generators: the default one of each device, and any number of others in slots.
#include "random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include <mutex>

#include "device.h"
#include "errors.h"

namespace smaug {

namespace {

// A slot number names a generator of ours, a string ("cpu", "cuda:0") the device's default one.
at::Generator generatorArgument(const Napi::CallbackInfo& info, Environment& state, size_t index) {
  const Napi::Value value = info[index];
  if (value.IsString()) return at::globalContext().defaultGenerator(deviceNamed(stringArgument(info, index)));
  at::Generator* generator = state.generators.find(slotArgument(info, state, index));
  if (generator == nullptr) throw BoundaryError("DisposedTensorError", "the generator has been disposed");
  return *generator;
}

uint64_t seedArgument(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<uint64_t>(int64Argument(info, index));
}

}  // namespace

// Seeds the default generators of all devices.
Napi::Value manualSeed(const Napi::CallbackInfo& info, Environment&) {
  at::manual_seed(seedArgument(info, 0));
  return info.Env().Undefined();
}

Napi::Value createGenerator(const Napi::CallbackInfo& info, Environment& state) {
  const c10::Device device = deviceNamed(stringArgument(info, 0));
  at::Generator generator = device.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>()
                                            : at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(device.index());
  return Napi::Number::New(info.Env(), state.generators.put(std::move(generator)));
}

Napi::Value releaseGenerator(const Napi::CallbackInfo& info, Environment& state) {
  state.generators.drop(slotArgument(info, state, 0));
  return info.Env().Undefined();
}

Napi::Value seedGenerator(const Napi::CallbackInfo& info, Environment& state) {
  at::Generator generator = generatorArgument(info, state, 0);
  std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seedArgument(info, 1));
  return info.Env().Undefined();
}

// The whole state, as a uint8 tensor.
Napi::Value generatorState(const Napi::CallbackInfo& info, Environment& state) {
  at::Generator generator = generatorArgument(info, state, 0);
  std::lock_guard<std::mutex> lock(generator.mutex());
  return Napi::Number::New(info.Env(), state.tensors.put(generator.get_state()));
}

Napi::Value setGeneratorState(const Napi::CallbackInfo& info, Environment& state) {
  at::Generator generator = generatorArgument(info, state, 0);
  std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(tensorArgument(info, state, 1));
  return info.Env().Undefined();
}

}  // namespace smaug
