#pragma once

#include "environment.h"

namespace smaug {

Napi::Value fromBytes(const Napi::CallbackInfo& info, Environment& state);
Napi::Value readBytes(const Napi::CallbackInfo& info, Environment& state);
Napi::Value readBytesAsync(const Napi::CallbackInfo& info, Environment& state);
Napi::Value item(const Napi::CallbackInfo& info, Environment& state);

}  // namespace smaug
