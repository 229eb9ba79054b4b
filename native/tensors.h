#pragma once

#include "environment.h"

namespace smaug {

napi_value release(napi_env env, napi_callback_info info);
Napi::Value alias(const Napi::CallbackInfo& info, Environment& state);
Napi::Value liveTensors(const Napi::CallbackInfo& info, Environment& state);
Napi::Value shape(const Napi::CallbackInfo& info, Environment& state);
Napi::Value strides(const Napi::CallbackInfo& info, Environment& state);
Napi::Value dtype(const Napi::CallbackInfo& info, Environment& state);
Napi::Value device(const Napi::CallbackInfo& info, Environment& state);
Napi::Value isDense(const Napi::CallbackInfo& info, Environment& state);
Napi::Value isSame(const Napi::CallbackInfo& info, Environment& state);
Napi::Value requiresGrad(const Napi::CallbackInfo& info, Environment& state);
Napi::Value setRequiresGrad(const Napi::CallbackInfo& info, Environment& state);
Napi::Value isLeaf(const Napi::CallbackInfo& info, Environment& state);
Napi::Value gradFn(const Napi::CallbackInfo& info, Environment& state);
Napi::Value retainGrad(const Napi::CallbackInfo& info, Environment& state);
Napi::Value gradient(const Napi::CallbackInfo& info, Environment& state);
Napi::Value setGradient(const Napi::CallbackInfo& info, Environment& state);

}  // namespace smaug
