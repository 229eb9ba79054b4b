/** Reads the arguments of `Tensor.to` and `Module.to`. */
import { type DType, dtypes, isDType } from "./dtype";
import { describeValue } from "./operators";
import { type Device, Tensor } from "./tensor";

export interface ToOptions {
  dtype?: DType;
  device?: Device;
  /** Copy even when nothing changes. */
  copy?: boolean;
  /** Do not wait for a copy between host and device. */
  nonBlocking?: boolean;
}

/**
 * Reads the arguments of `to`: a dtype, a device, a device and a dtype, another tensor, or options.
 *
 * @param names the allowed options
 * @throws TypeError for anything else, such as a misspelled option
 */
export function conversionOf(target: unknown, second: unknown, names: readonly (keyof ToOptions)[]): ToOptions {
  const options: ToOptions | undefined =
    target instanceof Tensor
      ? { dtype: target.dtype, device: target.device }
      : typeof target === "string" && isDType(target)
        ? { dtype: target }
        : typeof target === "string" && /^[a-z]+(:\d+)?$/.test(target)
          ? { device: target }
          : typeof target === "object" && target !== null && Object.keys(target).every((key) => (names as string[]).includes(key))
            ? target
            : undefined;
  if (!options)
    throw new TypeError(
      `Expected a dtype, a device, a Tensor or options (${names.join(", ")}) for 'to' but received ${describeValue(target)}; ` +
        `the dtypes are ${dtypes.join(", ")}`,
    );
  const { dtype } = second === undefined ? options : { dtype: second };
  if (dtype !== undefined && !isDType(dtype))
    throw new TypeError(`Expected a dtype for 'dtype' but received ${describeValue(dtype)}`);
  return { ...options, dtype };
}
