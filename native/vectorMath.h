#pragma once

namespace smaug {

// Makes MKL choose the kernels of its vector functions; once per process, later calls do nothing.
void chooseVectorKernels();

}  // namespace smaug
