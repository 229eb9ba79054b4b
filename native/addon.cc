// The addon's entry: what JavaScript can call, and nothing else. src/native/binding.ts describes every entry.
#include <ATen/Context.h>

#include "allocator.h"
#include "autograd.h"
#include "device.h"
#include "dispatch.h"
#include "errors.h"
#include "random.h"
#include "storage.h"
#include "tensors.h"
#include "vectorMath.h"

namespace smaug {

namespace {

// The errors JavaScript sees are made by its own classes: makeError(kind, message, context, nativeStack), the last a function or undefined.
Napi::Value setErrorFactory(const Napi::CallbackInfo& info, Environment& state) {
  const Napi::Value factory = info[0];
  if (!factory.IsFunction()) throw BoundaryError("TypeError", "native call: expected a function for argument 0");
  state.makeError = Napi::Persistent(factory.As<Napi::Function>());
  return info.Env().Undefined();
}

// Asks for numbers where there are none.
bool hasLenientGetters(Napi::Env env) {
  double number = 0;
  const napi_value values[] = {env.Null(), Napi::Boolean::New(env, true), Napi::String::New(env, "1")};
  for (const napi_value value : values)
    if (napi_get_value_double(env, value, &number) == napi_ok) return true;
  return false;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  installCpuAllocator();
  chooseVectorKernels();
  // cuDNN's attention makes a plan for every new length, which takes up to 0.6 s, and in generation each token has a new length.
  // Flash attention needs no plan.
  at::globalContext().setSDPUseCuDNN(false);
  auto* state = new Environment();
  env.SetInstanceData(state);  // deleted with the environment
  state->lenientGetters = hasLenientGetters(env);

  std::vector<napi_property_descriptor> entries;
  const auto define = [&](const char* name, napi_callback callback) {
    entries.push_back({name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_jsproperty, state});
  };
#define SMAUG_EXPORT(name) define(#name, guarded<name>)
  define("call", callOperator);
  SMAUG_EXPORT(findOperator);
  SMAUG_EXPORT(operatorNames);
  SMAUG_EXPORT(describeOperator);

  define("release", release);
  SMAUG_EXPORT(alias);
  SMAUG_EXPORT(liveTensors);
  SMAUG_EXPORT(shape);
  SMAUG_EXPORT(strides);
  SMAUG_EXPORT(dtype);
  SMAUG_EXPORT(device);
  SMAUG_EXPORT(isDense);
  SMAUG_EXPORT(isSame);
  SMAUG_EXPORT(requiresGrad);
  SMAUG_EXPORT(setRequiresGrad);
  SMAUG_EXPORT(isLeaf);
  SMAUG_EXPORT(gradFn);
  SMAUG_EXPORT(retainGrad);
  SMAUG_EXPORT(gradient);
  SMAUG_EXPORT(setGradient);

  SMAUG_EXPORT(backward);
  SMAUG_EXPORT(grad);
  SMAUG_EXPORT(gradEnabled);
  SMAUG_EXPORT(setGradEnabled);

  SMAUG_EXPORT(fromBytes);
  SMAUG_EXPORT(readBytes);
  SMAUG_EXPORT(readBytesAsync);
  SMAUG_EXPORT(item);

  SMAUG_EXPORT(manualSeed);
  SMAUG_EXPORT(createGenerator);
  SMAUG_EXPORT(releaseGenerator);
  SMAUG_EXPORT(seedGenerator);
  SMAUG_EXPORT(generatorState);
  SMAUG_EXPORT(setGeneratorState);

  SMAUG_EXPORT(accelerator);
  SMAUG_EXPORT(deviceName);
  SMAUG_EXPORT(synchronize);
  SMAUG_EXPORT(emptyCache);
  SMAUG_EXPORT(memoryStats);
  SMAUG_EXPORT(resetPeakMemory);
  SMAUG_EXPORT(reportMemory);
  SMAUG_EXPORT(threads);
  SMAUG_EXPORT(setThreads);
  SMAUG_EXPORT(versions);
  SMAUG_EXPORT(setErrorFactory);
#undef SMAUG_EXPORT
  napi_define_properties(env, exports, entries.size(), entries.data());  // fails in a worker that is being terminated
  return exports;
}

}  // namespace

NODE_API_MODULE(smaug, init)

}  // namespace smaug
