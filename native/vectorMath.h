#pragma once

namespace smaug {

// Selects the kernels of MKL's vector functions up front; further calls do nothing.
void chooseVectorKernels();

}  // namespace smaug
