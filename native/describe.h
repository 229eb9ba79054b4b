// Tensors and arguments in the words of an error message.
#pragma once

#include "environment.h"

namespace smaug {

// PyTorch's name: `float32`.
std::string dtypeName(c10::ScalarType dtype);

// `float32[2, 3] cpu`
std::string describeTensor(const at::Tensor& tensor);

// `self: float32[2, 3] cpu, other: 1`: the arguments that were given.
std::string describeArguments(napi_env env, Environment& state, const Operator& op, const napi_value* values, size_t count);

}  // namespace smaug
