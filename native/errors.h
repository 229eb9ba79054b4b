// The one way out of a native callback: a value, or a JavaScript error of the right class. Anything else aborts Node.
#pragma once

#include <c10/util/Backtrace.h>

#include "environment.h"

namespace smaug {

using Callback = Napi::Value (*)(const Napi::CallbackInfo&, Environment&);

// An error of ours: bad use of the boundary itself. `kind` names the TypeScript class.
struct BoundaryError : std::runtime_error {
  BoundaryError(std::string kind, const std::string& message) : std::runtime_error(message), kind(std::move(kind)) {}
  std::string kind;
};

struct Failure {
  std::string kind, message;
  c10::Backtrace backtrace;  // made into text, which takes milliseconds, when somebody asks for it
};

// Describes the exception in flight; call it inside a catch block only.
Failure currentFailure();

// The JavaScript error for a failure. `context` names the op and its arguments, or is empty. Never throws.
napi_value makeError(napi_env env, Environment& state, const Failure& failure, const std::string& context = "");

// Throws into JavaScript. While a worker is terminated that is refused, and nobody listens.
void throwInto(napi_env env, const Napi::Error& error) noexcept;

template <Callback body>
napi_value guarded(napi_env rawEnv, napi_callback_info rawInfo) {
  Napi::CallbackInfo info(rawEnv, rawInfo);
  auto& state = *static_cast<Environment*>(info.Data());
  try {
    return body(info, state);
  } catch (const Napi::Error& error) {
    throwInto(rawEnv, error);
  } catch (...) {
    napi_throw(rawEnv, makeError(rawEnv, state, currentFailure()));
  }
  return nullptr;
}

// Argument `index` of a cold entry point; these throw when the value is not of the kind asked for.
int32_t intArgument(const Napi::CallbackInfo& info, size_t index);
int32_t slotArgument(const Napi::CallbackInfo& info, const Environment& state, size_t index);
int64_t int64Argument(const Napi::CallbackInfo& info, size_t index);
bool boolArgument(const Napi::CallbackInfo& info, size_t index);
std::string stringArgument(const Napi::CallbackInfo& info, size_t index);
Napi::Array arrayArgument(const Napi::CallbackInfo& info, size_t index);

at::Tensor& tensorAt(Environment& state, int32_t slot);
at::Tensor& tensorArgument(const Napi::CallbackInfo& info, Environment& state, size_t index);
std::vector<at::Tensor> tensorsArgument(const Napi::CallbackInfo& info, Environment& state, size_t index);

}  // namespace smaug
