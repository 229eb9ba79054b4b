#pragma once

#include "environment.h"

namespace smaug {

Napi::Value backward(const Napi::CallbackInfo& info, Environment& state);
Napi::Value grad(const Napi::CallbackInfo& info, Environment& state);
Napi::Value gradEnabled(const Napi::CallbackInfo& info, Environment& state);
Napi::Value setGradEnabled(const Napi::CallbackInfo& info, Environment& state);

}  // namespace smaug
