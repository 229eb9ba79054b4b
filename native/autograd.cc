#include "autograd.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "errors.h"

namespace smaug {

namespace {

// The engine wants one entry per output; "no gradient given" is an undefined tensor (allowed for scalars only).
std::vector<at::Tensor> outputGradients(std::vector<at::Tensor> gradients, size_t outputs) {
  TORCH_CHECK(gradients.empty() || gradients.size() == outputs, "expected a gradient for each of ", outputs,
              " outputs but received ", gradients.size());
  gradients.resize(outputs);
  return gradients;
}

}  // namespace

// backward(outputs, gradients, retainGraph, createGraph, inputs)
Napi::Value backward(const Napi::CallbackInfo& info, Environment& state) {
  const auto outputs = tensorsArgument(info, state, 0);
  torch::autograd::backward(outputs, outputGradients(tensorsArgument(info, state, 1), outputs.size()),
                            boolArgument(info, 2), boolArgument(info, 3), tensorsArgument(info, state, 4));
  return info.Env().Undefined();
}

// grad(outputs, inputs, gradients, retainGraph, createGraph, allowUnused): a slot per input, -1 where unused.
Napi::Value grad(const Napi::CallbackInfo& info, Environment& state) {
  const auto outputs = tensorsArgument(info, state, 0);
  const auto gradients = torch::autograd::grad(
      outputs, tensorsArgument(info, state, 1), outputGradients(tensorsArgument(info, state, 2), outputs.size()),
      boolArgument(info, 3), boolArgument(info, 4), boolArgument(info, 5));
  NewSlots made(state);
  auto slots = Napi::Array::New(info.Env(), gradients.size());
  for (size_t i = 0; i < gradients.size(); i++)
    slots.Set(static_cast<uint32_t>(i), Napi::Number::New(info.Env(), gradients[i].defined() ? made.put(gradients[i]) : -1));
  made.keep();
  return slots;
}

Napi::Value gradEnabled(const Napi::CallbackInfo& info, Environment&) {
  return Napi::Boolean::New(info.Env(), at::GradMode::is_enabled());
}

Napi::Value setGradEnabled(const Napi::CallbackInfo& info, Environment&) {
  at::GradMode::set_enabled(boolArgument(info, 0));
  return info.Env().Undefined();
}

}  // namespace smaug
