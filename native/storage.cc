// Values in and out, as bytes: JavaScript decides how to view them.
#include "storage.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstring>

#include "allocator.h"
#include "convert.h"
#include "describe.h"
#include "errors.h"

namespace smaug {

namespace {

// A contiguous CPU tensor with the same values; may wait for the device.
at::Tensor onHost(const at::Tensor& tensor) {
  if (tensor.layout() != c10::kStrided)
    throw BoundaryError("NotImplementedError", "Expected a dense tensor to read but received a " +
                                                   c10::str(tensor.layout()) + " one; toDense() makes it one");
  at::NoGradGuard guard;  // grad mode is thread-local: a worker thread starts with it on
  if (tensor._is_zerotensor()) return at::zeros(tensor.sizes(), tensor.scalar_type());  // it has no memory
  const at::Tensor host = tensor.to(c10::kCPU).resolve_conj().resolve_neg().contiguous();
  TORCH_CHECK(host.nbytes() == 0 || host.const_data_ptr() != nullptr, "a tensor without memory cannot be read");
  return host;
}

// V8 ends the process when it cannot allocate a buffer for us; the ArrayBuffer constructor throws instead.
Napi::ArrayBuffer newBuffer(Napi::Env env, size_t bytes) {
  constexpr size_t kLarge = 16u << 20;
  if (bytes < kLarge) return Napi::ArrayBuffer::New(env, bytes);
  checkAvailable(bytes);
  const auto constructor = env.Global().Get("ArrayBuffer").As<Napi::Function>();
  return constructor.New({Napi::Number::New(env, static_cast<double>(bytes))}).As<Napi::ArrayBuffer>();
}

void copyOut(const at::Tensor& host, void* data) {
  if (host.nbytes() > 0) std::memcpy(data, host.const_data_ptr(), host.nbytes());
}

class ReadWorker : public Napi::AsyncWorker {
 public:
  // The values as they are now: while the thread reads, JavaScript may write to the caller's tensor, or resize it.
  ReadWorker(Napi::Env env, Environment& state, const at::Tensor& tensor, Napi::ArrayBuffer buffer)
      : AsyncWorker(env), state_(state), deferred_(Napi::Promise::Deferred::New(env)), tensor_(tensor.detach().clone()),
        buffer_(Napi::Persistent(buffer)), data_(buffer.Data()) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      copyOut(onHost(tensor_), data_);
    } catch (...) {
      failure_ = currentFailure();
      SetError(failure_.message);
    }
  }

  void OnOK() override {
    settle([&] { deferred_.Resolve(buffer_.Value()); });
  }

  void OnError(const Napi::Error&) override {
    settle([&] { deferred_.Reject(makeError(Env(), state_, failure_)); });
  }

 private:
  // A worker that is being terminated cannot settle promises, and nobody waits for them.
  template <class F>
  void settle(F settlePromise) {
    try {
      settlePromise();
    } catch (const Napi::Error&) {
    }
  }

  Environment& state_;
  Napi::Promise::Deferred deferred_;
  at::Tensor tensor_;
  Napi::Reference<Napi::ArrayBuffer> buffer_;
  void* data_;
  Failure failure_;
};

}  // namespace

// fromBytes(view: Uint8Array, dtype, shape): a CPU tensor with a copy of the bytes.
Napi::Value fromBytes(const Napi::CallbackInfo& info, Environment& state) {
  const int32_t dtype = intArgument(info, 1);
  if (dtype < 0 || dtype >= static_cast<int32_t>(c10::ScalarType::NumOptions))
    throw BoundaryError("TypeError", "native call: unknown dtype code " + std::to_string(dtype));
  const auto sizes = arrayArgument(info, 2);
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < sizes.Length(); i++) {
    const Napi::Value size = sizes[i];
    const double number = size.IsNumber() ? size.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 0 && number <= 9007199254740991.0 && std::trunc(number) == number))
      throw BoundaryError("TypeError", "native call: expected an array of sizes for argument 2");
    shape.push_back(static_cast<int64_t>(number));
  }
  // After the sizes: reading an array may run JavaScript, which may take the view's memory away.
  const Napi::Value view = info[0];
  if (!view.IsTypedArray() || view.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    throw BoundaryError("TypeError", "native call: expected a Uint8Array for argument 0");
  const auto bytes = view.As<Napi::Uint8Array>();
  at::Tensor tensor = at::empty(shape, static_cast<c10::ScalarType>(dtype));
  TORCH_CHECK(tensor.nbytes() == bytes.ByteLength(), "data has ", bytes.ByteLength(), " bytes but shape ",
              tensor.sizes(), " of ", dtypeName(tensor.scalar_type()), " needs ", tensor.nbytes());
  if (tensor.nbytes() > 0) std::memcpy(tensor.mutable_data_ptr(), bytes.Data(), tensor.nbytes());
  return Napi::Number::New(info.Env(), state.tensors.put(tensor));
}

Napi::Value readBytes(const Napi::CallbackInfo& info, Environment& state) {
  const at::Tensor host = onHost(tensorArgument(info, state, 0));
  auto buffer = newBuffer(info.Env(), host.nbytes());
  copyOut(host, buffer.Data());
  return buffer;
}

// As readBytes, waiting for the device and copying on a worker thread.
Napi::Value readBytesAsync(const Napi::CallbackInfo& info, Environment& state) {
  const at::Tensor tensor = tensorArgument(info, state, 0);
  auto* worker = new ReadWorker(info.Env(), state, tensor, newBuffer(info.Env(), tensor.nbytes()));
  worker->Queue();
  return worker->promise();
}

Napi::Value item(const Napi::CallbackInfo& info, Environment& state) {
  const auto& tensor = tensorArgument(info, state, 0);
  TORCH_CHECK(tensor.numel() == 1, "Expected a tensor of one element for 'item' but received one of ", tensor.numel(),
              "; toArray() reads them all");
  c10::IValue value(tensor.item());
  const auto type = value.type();
  return Napi::Value(info.Env(), fromIValue(info.Env(), state, std::move(value), *type));
}

}  // namespace smaug
