/** `smaug/torch`: libtorch's tensors and autograd. */
export { hasOp, op, ops } from "./methods"; // must come first: it adds Tensor's methods
export { type GradOptions, autograd, enableGrad, isGradEnabled, noGrad } from "./autograd";
export type { ToOptions } from "./conversion";
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
  type Memory,
  acceleratorType,
  deviceCount,
  deviceName,
  emptyCache,
  getNumThreads,
  memory,
  resetPeakMemory,
  setNumThreads,
  synchronize,
  versions,
} from "./device";
export { type ArrayOf, type DType, type TypedArray, dtypes, isComplex, isFloatingPoint } from "./dtype";
export { Generator, getRngState, manualSeed, setRngState } from "./generator";
export { type Index, Slice, slice } from "./indexing";
export { cat, stack } from "./joining";
export type { Layout, MemoryFormat, Reduction, Scalar } from "./operators";
export { dispose, keep, tidy } from "./scope";
export { TensorScope } from "./tensorScope";
export { type BackwardOptions, type Device, type NestedArray, Tensor } from "./tensor";
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
