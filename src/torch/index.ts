/** `smaug/torch`: libtorch's tensors and autograd. */

export {
  DeviceError,
  DisposedTensorError,
  IndexError,
  LinAlgError,
  NativeLoadError,
  NotImplementedError,
  OutOfMemoryError,
  TorchError,
} from "../native/errors";
export type { Layout, MemoryFormat, Reduction, Scalar } from "./arguments";
export type { NestedArray } from "./arrays";
export { autograd, enableGrad, type GradOptions, isGradEnabled, noGrad } from "./autograd";
export {
  arange,
  empty,
  eye,
  fromTypedArray,
  full,
  linspace,
  ones,
  type RandomOptions,
  rand,
  randint,
  randn,
  randperm,
  type TensorOptions,
  tensor,
  zeros,
} from "./create";
export {
  acceleratorType,
  type Device,
  type DeviceProperties,
  defaultDevice,
  deviceCount,
  deviceDescription,
  deviceName,
  deviceProperties,
  emptyCache,
  getNumThreads,
  hasDevice,
  type Memory,
  memory,
  resetPeakMemory,
  setNumThreads,
  synchronize,
  versions,
} from "./device";
export { type ArrayOf, type DType, dtypes, isComplex, isFloatingPoint, type TypedArray } from "./dtype";
export { Generator, getRngState, manualSeed, setRngState } from "./generator";
export { Slice, slice } from "./indexing";
export { cat, hasOp, op, ops, stack } from "./ops";
export { dispose, keep, tidy } from "./scope";
export { type BackwardOptions, type Index, Tensor, type ToOptions } from "./tensor";
export { TensorScope } from "./tensorScope";
