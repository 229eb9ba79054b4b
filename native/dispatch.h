// The one door to libtorch's operators: a boxed call by cached id, converted by the op's own schema.
#pragma once

#include "environment.h"

namespace smaug {

// call(id, ...arguments): raw Node-API, since every op of every step passes here.
napi_value callOperator(napi_env env, napi_callback_info info);

Napi::Value findOperator(const Napi::CallbackInfo& info, Environment& state);
Napi::Value operatorNames(const Napi::CallbackInfo& info, Environment& state);
Napi::Value describeOperator(const Napi::CallbackInfo& info, Environment& state);

}  // namespace smaug
