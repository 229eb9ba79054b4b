// Values in and out, as bytes: JavaScript decides how to view them.
#include "storage.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "convert.h"
#include "errors.h"

namespace smaug {

namespace {

// A contiguous CPU tensor with the same values; may wait for the device.
at::Tensor onHost(const at::Tensor& tensor) {
  at::NoGradGuard guard;  // grad mode is thread-local: a worker thread starts with it on
  return tensor.detach().to(c10::kCPU).resolve_conj().resolve_neg().contiguous();
}

Napi::ArrayBuffer copyOut(Napi::Env env, const at::Tensor& host) {
  auto buffer = Napi::ArrayBuffer::New(env, host.nbytes());
  if (host.nbytes() > 0) std::memcpy(buffer.Data(), host.const_data_ptr(), host.nbytes());
  return buffer;
}

class ReadWorker : public Napi::AsyncWorker {
 public:
  ReadWorker(Napi::Env env, Environment& state, at::Tensor tensor)
      : AsyncWorker(env), state_(state), deferred_(Napi::Promise::Deferred::New(env)), tensor_(std::move(tensor)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      tensor_ = onHost(tensor_);
    } catch (...) {
      failure_ = currentFailure();
      SetError(failure_.message);
    }
  }

  void OnOK() override { deferred_.Resolve(copyOut(Env(), tensor_)); }

  void OnError(const Napi::Error&) override { deferred_.Reject(makeError(Env(), state_, failure_)); }

 private:
  Environment& state_;
  Napi::Promise::Deferred deferred_;
  at::Tensor tensor_;
  Failure failure_;
};

}  // namespace

// fromBytes(view: Uint8Array, dtype, shape): a CPU tensor with a copy of the bytes.
Napi::Value fromBytes(const Napi::CallbackInfo& info, Environment& state) {
  const Napi::Value view = info[0];
  if (!view.IsTypedArray() || view.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    throw BoundaryError("TypeError", "native call: expected a Uint8Array for argument 0");
  const auto bytes = view.As<Napi::Uint8Array>();
  const int32_t dtype = intArgument(info, 1);
  if (dtype < 0 || dtype >= static_cast<int32_t>(c10::ScalarType::NumOptions))
    throw BoundaryError("TypeError", "native call: unknown dtype code " + std::to_string(dtype));
  const auto sizes = arrayArgument(info, 2);
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < sizes.Length(); i++) {
    const Napi::Value size = sizes[i];
    if (!size.IsNumber()) throw BoundaryError("TypeError", "native call: expected an array of sizes for argument 2");
    shape.push_back(size.As<Napi::Number>().Int64Value());
  }
  at::Tensor tensor = at::empty(shape, static_cast<c10::ScalarType>(dtype));
  TORCH_CHECK(tensor.nbytes() == bytes.ByteLength(), "data has ", bytes.ByteLength(), " bytes but shape ",
              tensor.sizes(), " of ", dtypeName(tensor.scalar_type()), " needs ", tensor.nbytes());
  if (tensor.nbytes() > 0) std::memcpy(tensor.mutable_data_ptr(), bytes.Data(), tensor.nbytes());
  return Napi::Number::New(info.Env(), state.tensors.put(tensor));
}

Napi::Value readBytes(const Napi::CallbackInfo& info, Environment& state) {
  return copyOut(info.Env(), onHost(tensorArgument(info, state, 0)));
}

// As readBytes, waiting for the device and copying on a worker thread.
Napi::Value readBytesAsync(const Napi::CallbackInfo& info, Environment& state) {
  auto* worker = new ReadWorker(info.Env(), state, tensorArgument(info, state, 0));
  worker->Queue();
  return worker->promise();
}

Napi::Value item(const Napi::CallbackInfo& info, Environment& state) {
  const auto& tensor = tensorArgument(info, state, 0);
  TORCH_CHECK(tensor.numel() == 1, "a tensor with ", tensor.numel(), " elements cannot be converted to a scalar");
  c10::IValue value(tensor.item());
  const auto type = value.type();
  return Napi::Value(info.Env(), fromIValue(info.Env(), state, std::move(value), *type));
}

}  // namespace smaug
