// What JavaScript asks of a tensor that no operator answers: its slot, shape, dtype, device and autograd state.
#include "tensors.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include "describe.h"
#include "errors.h"

namespace smaug {

namespace {

Napi::Value newSlot(const Napi::CallbackInfo& info, Environment& state, const at::Tensor& tensor) {
  return Napi::Number::New(info.Env(), tensor.defined() ? state.tensors.put(tensor) : -1);
}

Napi::Array integers(Napi::Env env, at::IntArrayRef values) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++)
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(values[i])));
  return array;
}

}  // namespace

// release(slot): raw Node-API, called once per tensor. Never throws: an empty slot is nothing to do.
napi_value release(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value value = nullptr;
  void* data = nullptr;
  int32_t slot = -1;
  napi_get_cb_info(env, info, &count, &value, nullptr, &data);
  auto& state = *static_cast<Environment*>(data);
  if (count == 1 && readSlot(env, state, value, &slot)) state.tensors.drop(slot);
  return nullptr;
}

Napi::Value alias(const Napi::CallbackInfo& info, Environment& state) {
  return newSlot(info, state, at::Tensor(tensorArgument(info, state, 0)));
}

Napi::Value liveTensors(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::Number::New(info.Env(), static_cast<double>(state.tensors.live()));
}

Napi::Value shape(const Napi::CallbackInfo& info, Environment& state) {
  return integers(info.Env(), tensorArgument(info, state, 0).sizes());
}

Napi::Value strides(const Napi::CallbackInfo& info, Environment& state) {
  return integers(info.Env(), tensorArgument(info, state, 0).strides());
}

Napi::Value dtype(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::Number::New(info.Env(), static_cast<int>(tensorArgument(info, state, 0).scalar_type()));
}

Napi::Value device(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::String::New(info.Env(), tensorArgument(info, state, 0).device().str());
}

Napi::Value isDense(const Napi::CallbackInfo& info, Environment& state) {
  const auto& tensor = tensorArgument(info, state, 0);
  return Napi::Boolean::New(info.Env(), tensor.layout() == c10::kStrided && !tensor.is_quantized());
}

// Two slots may hold one tensor; this tells.
Napi::Value isSame(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::Boolean::New(info.Env(), tensorArgument(info, state, 0).is_same(tensorArgument(info, state, 1)));
}

Napi::Value requiresGrad(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::Boolean::New(info.Env(), tensorArgument(info, state, 0).requires_grad());
}

Napi::Value setRequiresGrad(const Napi::CallbackInfo& info, Environment& state) {
  at::Tensor& tensor = tensorArgument(info, state, 0);
  const bool wanted = boolArgument(info, 1);
  TORCH_CHECK(tensor.is_leaf() || wanted,
              "you can only change requires_grad flags of leaf tensors; use detach() to leave the graph");
  tensor.set_requires_grad(wanted);
  return info.Env().Undefined();
}

Napi::Value isLeaf(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::Boolean::New(info.Env(), tensorArgument(info, state, 0).is_leaf());
}

// The name of the node that made this tensor (`AddBackward0`), or null.
Napi::Value gradFn(const Napi::CallbackInfo& info, Environment& state) {
  const auto& node = tensorArgument(info, state, 0).grad_fn();
  if (!node) return info.Env().Null();
  return Napi::String::New(info.Env(), node->name());
}

Napi::Value retainGrad(const Napi::CallbackInfo& info, Environment& state) {
  tensorArgument(info, state, 0).retain_grad();
  return info.Env().Undefined();
}

Napi::Value gradient(const Napi::CallbackInfo& info, Environment& state) {
  return newSlot(info, state, at::Tensor(tensorArgument(info, state, 0).grad()));
}

// setGradient(slot, gradSlot): -1 clears it.
Napi::Value setGradient(const Napi::CallbackInfo& info, Environment& state) {
  at::Tensor& tensor = tensorArgument(info, state, 0);
  const int32_t slot = slotArgument(info, state, 1);
  at::Tensor value = slot == -1 ? at::Tensor() : tensorAt(state, slot);
  if (value.defined()) {
    TORCH_CHECK(value.sizes() == tensor.sizes(), "assigned grad has shape ", value.sizes(), " but the tensor has shape ",
                tensor.sizes());
    TORCH_CHECK(value.scalar_type() == tensor.scalar_type(), "assigned grad is ", dtypeName(value.scalar_type()),
                " but the tensor is ", dtypeName(tensor.scalar_type()));
    TORCH_CHECK(value.device() == tensor.device(), "assigned grad is on ", value.device(), " but the tensor is on ",
                tensor.device());
  }
  tensor.mutable_grad() = value;
  return info.Env().Undefined();
}

}  // namespace smaug
