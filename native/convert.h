// JavaScript values to IValues and back, driven by the op's own schema.
#pragma once

#include "environment.h"

namespace smaug {

Operator describe(const c10::OperatorHandle& handle);

// What an argument that is not given stands for; throws when it must be given.
c10::IValue defaultOf(const Argument& argument);

// One argument. `undefined` takes the schema's default; `null` is None.
c10::IValue toIValue(napi_env env, Environment& state, const Argument& argument, napi_value value);

// A returned value: tensors become slots (-1 for an undefined one), enumerations their PyTorch names or codes. A caller
// that converts several values passes `slots`; without it, this call empties its own slots when it throws.
napi_value fromIValue(napi_env env, Environment& state, c10::IValue&& value, const c10::Type& type,
                      NewSlots* slots = nullptr);

// The kind in TypeScript's description of an argument.
const char* kindName(Kind kind);

}  // namespace smaug
