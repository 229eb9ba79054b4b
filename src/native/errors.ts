/**
 * The errors smaug throws, one family. What libtorch reports keeps its first line and gains the op with each argument's
 * dtype, shape and device; the C++ trace stays in `nativeStack`. Wrong arguments that TypeScript itself finds are plain
 * `TypeError`s and `RangeError`s; files, folders and rows that cannot be used are `InputError`s.
 */

export class TorchError extends Error {
  override name = "TorchError";
  /** The call that failed, as `aten::mm(self: float32[2, 3] cpu, mat2: float32[2, 3] cpu)`, when an op failed. */
  declare readonly call?: string;
  /** libtorch's message with its C++ trace. */
  declare readonly nativeStack?: string;

  constructor(message: string, details: { call?: string; nativeStack?: () => string } = {}) {
    super(details.call ? `${message}\n  in ${details.call}` : message);
    if (details.call) this.call = details.call;
    // Not enumerable: console.log(error) shows the message, not two screens of C++. Made when read: that takes milliseconds.
    if (details.nativeStack) Object.defineProperty(this, "nativeStack", { get: details.nativeStack });
  }
}

/** An index outside its dimension. */
export class IndexError extends TorchError {
  override name = "IndexError";
}

/** libtorch has no kernel for this dtype, device or layout, or the value cannot cross into JavaScript. */
export class NotImplementedError extends TorchError {
  override name = "NotImplementedError";
}

/** A decomposition or solve that has no answer, such as the inverse of a singular matrix. */
export class LinAlgError extends TorchError {
  override name = "LinAlgError";
}

/** A device that is not there. */
export class DeviceError extends TorchError {
  override name = "DeviceError";
}

/** The device or the machine has no room left. */
export class OutOfMemoryError extends TorchError {
  override name = "OutOfMemoryError";
}

/** A tensor used after `dispose()`, or after the scope that owned it ended. */
export class DisposedTensorError extends TorchError {
  override name = "DisposedTensorError";
}

/** libtorch or the addon could not be loaded; the message is the table `smaug doctor` prints. */
export class NativeLoadError extends TorchError {
  override name = "NativeLoadError";
}

const classes = {
  TorchError,
  IndexError,
  NotImplementedError,
  LinAlgError,
  DeviceError,
  OutOfMemoryError,
  DisposedTensorError,
};

const lateError = /CUDA error|device-side assert/i;
const missingDevice =
  /not linked with support for|No CUDA GPUs|not compiled with|driver version is insufficient|no CUDA-capable device|Found no NVIDIA driver/i;

/** Makes the error the addon throws. `kind` is a C++ exception's class, `call` the op and its arguments or empty. */
export function nativeError(kind: string, message: string, call: string, nativeStack?: () => string): Error {
  // The rest is in nativeStack; for a missing kernel the first line alone is a page of guesses.
  const text = message
    .split("\n")[0]!
    .replace(/ This could be because the operator doesn't exist for this backend.*$/, "")
    .trimEnd();
  if (kind === "TypeError") return new TypeError(call ? `${text}\n  in ${call}` : text);
  if (kind === "DeviceError" || missingDevice.test(text))
    return new DeviceError(`${text}\n  \`npx smaug doctor\` shows which libtorch and which devices are in use`, {
      call,
      nativeStack,
    });
  const hint = lateError.test(text) ? "\n  CUDA reports late: run again with CUDA_LAUNCH_BLOCKING=1 to find the op" : "";
  const Class = classes[kind as keyof typeof classes] ?? TorchError;
  return new Class(text + hint, { call, nativeStack });
}
