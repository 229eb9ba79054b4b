#include "errors.h"

#include <c10/util/Exception.h>

#include <cmath>

namespace smaug {

namespace {

Failure fromTorch(const char* kind, const c10::Error& error) {
  return {kind, error.what_without_backtrace(), error.what()};
}

[[noreturn]] void wrongArgument(size_t index, const char* expected) {
  throw BoundaryError("TypeError", "native call: expected " + std::string(expected) + " for argument " +
                                       std::to_string(index));
}

Napi::Value argument(const Napi::CallbackInfo& info, size_t index) { return info[index]; }

}  // namespace

Failure currentFailure() {
  try {
    throw;
  } catch (const BoundaryError& error) {
    return {error.kind, error.what(), ""};
  } catch (const c10::OutOfMemoryError& error) {
    return fromTorch("OutOfMemoryError", error);
  } catch (const c10::IndexError& error) {
    return fromTorch("IndexError", error);
  } catch (const c10::NotImplementedError& error) {
    return fromTorch("NotImplementedError", error);
  } catch (const c10::LinAlgError& error) {
    return fromTorch("LinAlgError", error);
  } catch (const c10::Error& error) {
    return fromTorch("TorchError", error);
  } catch (const std::bad_alloc&) {
    return {"OutOfMemoryError", "the C++ heap has no room for this", ""};
  } catch (const std::exception& error) {
    return {"TorchError", error.what(), ""};
  } catch (...) {
    return {"TorchError", "a C++ exception of unknown type", ""};
  }
}

Napi::Value makeError(Napi::Env env, Environment& state, const Failure& failure, const std::string& context) {
  if (!state.makeError.IsEmpty()) {
    try {
      return state.makeError.Call({Napi::String::New(env, failure.kind), Napi::String::New(env, failure.message),
                                   Napi::String::New(env, context), Napi::String::New(env, failure.nativeStack)});
    } catch (const Napi::Error& error) {  // the factory itself threw: its error is the better report
      return error.Value();
    }
  }
  return Napi::Error::New(env, failure.message).Value();
}

int32_t intArgument(const Napi::CallbackInfo& info, size_t index) {
  const int64_t value = int64Argument(info, index);
  if (value < INT32_MIN || value > INT32_MAX) wrongArgument(index, "a 32-bit integer");
  return static_cast<int32_t>(value);
}

int64_t int64Argument(const Napi::CallbackInfo& info, size_t index) {
  const auto value = argument(info, index);
  if (value.IsBigInt()) {
    bool lossless = false;
    const int64_t integer = value.As<Napi::BigInt>().Int64Value(&lossless);
    if (!lossless) wrongArgument(index, "an integer of at most 64 bits");
    return integer;
  }
  if (!value.IsNumber()) wrongArgument(index, "an integer");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (std::trunc(number) != number || std::abs(number) > 9007199254740991.0) wrongArgument(index, "a safe integer");
  return static_cast<int64_t>(number);
}

bool boolArgument(const Napi::CallbackInfo& info, size_t index) {
  const auto value = argument(info, index);
  if (!value.IsBoolean()) wrongArgument(index, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string stringArgument(const Napi::CallbackInfo& info, size_t index) {
  const auto value = argument(info, index);
  if (!value.IsString()) wrongArgument(index, "a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Array arrayArgument(const Napi::CallbackInfo& info, size_t index) {
  const auto value = argument(info, index);
  if (!value.IsArray()) wrongArgument(index, "an array");
  return value.As<Napi::Array>();
}

at::Tensor& tensorAt(Environment& state, int32_t slot) {
  at::Tensor* tensor = state.tensors.find(slot);
  if (tensor == nullptr) throw BoundaryError("DisposedTensorError", "slot " + std::to_string(slot) + " holds no tensor");
  return *tensor;
}

at::Tensor& tensorArgument(const Napi::CallbackInfo& info, Environment& state, size_t index) {
  return tensorAt(state, intArgument(info, index));
}

std::vector<at::Tensor> tensorsArgument(const Napi::CallbackInfo& info, Environment& state, size_t index) {
  const auto slots = arrayArgument(info, index);
  std::vector<at::Tensor> tensors;
  for (uint32_t i = 0; i < slots.Length(); i++) {
    const Napi::Value slot = slots[i];
    if (!slot.IsNumber()) wrongArgument(index, "an array of slots");
    const int32_t number = slot.As<Napi::Number>().Int32Value();
    tensors.push_back(number == -1 ? at::Tensor() : tensorAt(state, number));  // -1: no tensor here
  }
  return tensors;
}

}  // namespace smaug
