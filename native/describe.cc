#include "describe.h"

namespace smaug {

std::string dtypeName(c10::ScalarType dtype) {
  try {
    return std::string(c10::getDtypeNames(dtype).first);
  } catch (const c10::Error&) {  // the quantised ones have no name in Python
    return c10::toString(dtype);
  }
}

std::string describeTensor(const at::Tensor& tensor) {
  std::string text = dtypeName(tensor.scalar_type()) + "[";
  const auto sizes = tensor.sizes();
  for (size_t i = 0; i < sizes.size(); i++) text += (i == 0 ? "" : ", ") + std::to_string(sizes[i]);
  return text + "] " + tensor.device().str();
}

namespace {

std::string shortened(std::string text) {
  constexpr size_t kLongest = 80;
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while ((text[end] & 0xC0) == 0x80) end--;  // not inside a UTF-8 sequence
  return text.substr(0, end) + "…";
}

// An object is not asked for its text, which would run the user's code.
std::string describeValue(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  bool isArray = false;
  napi_is_array(env, value, &isArray);
  if (isArray) {
    uint32_t length = 0;
    napi_get_array_length(env, value, &length);
    std::string text = "[";
    for (uint32_t i = 0; i < length && i < 8; i++) {
      napi_value element = nullptr;
      if (napi_get_element(env, value, i, &element) == napi_ok)
        text += (i == 0 ? "" : ", ") + describeValue(env, state, argument, element);
    }
    return text + (length > 8 ? ", …]" : "]");
  }
  int32_t slot = -1;
  if (argument.kind == Kind::Tensor && readSlot(env, state, value, &slot)) {
    const at::Tensor* tensor = state.tensors.find(slot);
    return tensor == nullptr ? "a disposed tensor" : describeTensor(*tensor);
  }
  if (argument.kind == Kind::ScalarType && readSlot(env, state, value, &slot) && slot >= 0 &&
      slot < static_cast<int32_t>(c10::ScalarType::NumOptions))
    return dtypeName(static_cast<c10::ScalarType>(slot));
  switch (Napi::Value(env, value).Type()) {
    case napi_undefined:
    case napi_null:
    case napi_boolean:
    case napi_number:
    case napi_bigint: return Napi::Value(env, value).ToString().Utf8Value();
    case napi_string: return shortened(Napi::String(env, value).Utf8Value());
    case napi_symbol: return "a symbol";
    case napi_function: return "a function";
    default: return "an object";
  }
}

}  // namespace

std::string describeArguments(napi_env env, Environment& state, const Operator& op, const napi_value* values, size_t count) {
  std::string text;
  for (size_t i = 0; i < op.arguments.size() && i < count; i++) {
    if (Napi::Value(env, values[i]).Type() == napi_undefined) continue;
    text += (text.empty() ? "" : ", ") + op.arguments[i].name + ": " + describeValue(env, state, op.arguments[i], values[i]);
  }
  return text;
}

}  // namespace smaug
