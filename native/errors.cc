#include "errors.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <new>

namespace smaug {

namespace {

Failure fromTorch(const char* kind, const c10::Error& error) {
  return {kind, error.what_without_backtrace(), error.backtrace()};
}

// nativeStack(): libtorch's message with its C++ trace.
napi_value nativeStack(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_value text = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  try {
    const auto& failure = *static_cast<Failure*>(data);
    const std::string stack = failure.message + "\n" + failure.backtrace->get();
    napi_create_string_utf8(env, stack.data(), stack.size(), &text);
  } catch (const std::exception&) {  // no memory for it
  }
  return text;
}

napi_value nativeStackOf(napi_env env, const Failure& failure) {
  if (!failure.backtrace) return nullptr;
  napi_value function = nullptr;
  auto* data = new (std::nothrow) Failure(failure);
  if (data == nullptr) return nullptr;
  const auto release = [](napi_env, void* data, void*) { delete static_cast<Failure*>(data); };
  if (napi_create_function(env, "nativeStack", NAPI_AUTO_LENGTH, nativeStack, data, &function) == napi_ok &&
      napi_add_finalizer(env, function, data, release, nullptr, nullptr) == napi_ok)
    return function;
  delete data;
  return nullptr;
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
    return {error.kind, error.what(), nullptr};
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
    return {"OutOfMemoryError", "the C++ heap has no room for this", nullptr};
  } catch (const std::exception& error) {
    return {"TorchError", error.what(), nullptr};
  } catch (...) {
    return {"TorchError", "a C++ exception of unknown type", nullptr};
  }
}

napi_value makeError(napi_env env, Environment& state, const Failure& failure, const std::string& context) {
  const std::string* texts[] = {&failure.kind, &failure.message, &context};
  napi_value arguments[4] = {}, undefined = nullptr, error = nullptr;
  napi_get_undefined(env, &undefined);
  for (size_t i = 0; i < 3; i++) napi_create_string_utf8(env, texts[i]->data(), texts[i]->size(), &arguments[i]);
  arguments[3] = nativeStackOf(env, failure);
  if (arguments[3] == nullptr) arguments[3] = undefined;
  if (!state.makeError.IsEmpty() &&
      napi_call_function(env, undefined, state.makeError.Value(), 4, arguments, &error) == napi_ok)
    return error;
  // The factory threw, or user code did before it was asked: that error is the better report.
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) napi_get_and_clear_last_exception(env, &error);
  else napi_create_error(env, nullptr, arguments[1], &error);
  return error;
}

void throwInto(napi_env env, const Napi::Error& error) noexcept {
  try {
    napi_throw(env, error.Value());
  } catch (const Napi::Error&) {
  }
}

int32_t intArgument(const Napi::CallbackInfo& info, size_t index) {
  const int64_t value = int64Argument(info, index);
  if (value < INT32_MIN || value > INT32_MAX) wrongArgument(index, "a 32-bit integer");
  return static_cast<int32_t>(value);
}

int32_t slotArgument(const Napi::CallbackInfo& info, const Environment& state, size_t index) {
  int32_t slot = -1;
  if (!readSlot(info.Env(), state, argument(info, index), &slot)) wrongArgument(index, "a slot");
  return slot;
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
  return tensorAt(state, slotArgument(info, state, index));
}

std::vector<at::Tensor> tensorsArgument(const Napi::CallbackInfo& info, Environment& state, size_t index) {
  const auto slots = arrayArgument(info, index);
  std::vector<at::Tensor> tensors;
  for (uint32_t i = 0; i < slots.Length(); i++) {
    const Napi::Value slot = slots[i];
    int32_t number = -1;
    if (!readSlot(info.Env(), state, slot, &number)) wrongArgument(index, "an array of slots");
    tensors.push_back(number == -1 ? at::Tensor() : tensorAt(state, number));  // -1: no tensor here
  }
  return tensors;
}

}  // namespace smaug
