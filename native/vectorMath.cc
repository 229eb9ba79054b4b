// MKL's vector functions (exp, log, sin, tanh, …), which libtorch calls from several threads for a large tensor. MKL 2024.2
// selects each function's kernel on its first call. When several threads make that call at once, one may get a low-accuracy
// kernel, and its result is off by up to thousands of ulp (pytorch/pytorch#188792).
#include "vectorMath.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>

#include <mutex>

namespace smaug {

// One-element tensors run on the calling thread only. The list is that of ATen/cpu/vml.h.
void chooseVectorKernels() {
  static std::once_flag once;
  std::call_once(once, [] {
    using Function = at::Tensor& (at::Tensor::*)() const;
    constexpr Function kFunctions[] = {&at::Tensor::acos_, &at::Tensor::asin_,   &at::Tensor::atan_, &at::Tensor::cos_,
                                       &at::Tensor::erf_,  &at::Tensor::erfc_,   &at::Tensor::exp_,  &at::Tensor::erfinv_,
                                       &at::Tensor::log_,  &at::Tensor::log10_,  &at::Tensor::log2_, &at::Tensor::sin_,
                                       &at::Tensor::sqrt_, &at::Tensor::tan_,    &at::Tensor::tanh_, &at::Tensor::trunc_};
    const c10::InferenceMode guard;
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      const at::Tensor x = at::ones({1}, at::TensorOptions().dtype(dtype));
      for (const Function function : kFunctions) (x.*function)();
    }
  });
}

}  // namespace smaug
