#pragma once

#include "environment.h"

namespace smaug {

Napi::Value manualSeed(const Napi::CallbackInfo& info, Environment& state);
Napi::Value createGenerator(const Napi::CallbackInfo& info, Environment& state);
Napi::Value releaseGenerator(const Napi::CallbackInfo& info, Environment& state);
Napi::Value seedGenerator(const Napi::CallbackInfo& info, Environment& state);
Napi::Value generatorState(const Napi::CallbackInfo& info, Environment& state);
Napi::Value setGeneratorState(const Napi::CallbackInfo& info, Environment& state);

}  // namespace smaug
