/** `smaug/torch`: libtorch's tensors and autograd. */
export type { NestedArray } from "./arrays";
export { type GradOptions, autograd, enableGrad, isGradEnabled, noGrad } from "./autograd";
export {
  type RandomOptions,
  type TensorOptions,
  arange,
  empty,
  eye,
  fromTypedArray,
  full,
  linspace,
  ones,
  rand,
  randint,
  randn,
  randperm,
  tensor,
  zeros,
} from "./create";
export {
  type Device,
  type DeviceProperties,
  type Memory,
  acceleratorType,
  defaultDevice,
  deviceCount,
  deviceDescription,
  deviceName,
  deviceProperties,
  emptyCache,
  getNumThreads,
  hasDevice,
  memory,
  resetPeakMemory,
  setNumThreads,
  synchronize,
  versions,
} from "./device";
export { type ArrayOf, type DType, type TypedArray, dtypes, isComplex, isFloatingPoint } from "./dtype";
export { Generator, getRngState, manualSeed, setRngState } from "./generator";
export { Slice, slice } from "./indexing";
export { cat, hasOp, op, ops, stack } from "./ops";
export type { Layout, MemoryFormat, Reduction, Scalar } from "./schemas";
export { dispose, keep, tidy } from "./scope";
export { TensorScope } from "./tensorScope";
export { type BackwardOptions, type Index, Tensor, type ToOptions } from "./tensor";
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
