/**
 * Reading a safetensors file through a memory map (libtorch's own `from_file`). A tensor that needs no
 * conversion is a view of the map: its pages are read when they are used, and writing to them does not reach the file.
 * Any other is converted to its dtype and device a few megabytes at a time: there is no second copy on the host, and
 * since each step maps the file anew, pages already read do not count as resident; they stay in the system's page cache.
 *
 * A mapped file must not be written over or cut short (that changes the tensors, or ends the process). To replace it by
 * renaming another one, as everything here does, is safe.
 */
import { closeSync, fstatSync, readSync } from "node:fs";
import { expectRegularFile, openInput } from "../../../base/files/inputFiles";
import { TorchError } from "../../../native/errors";
import { type Device, type DType, empty, noGrad, ops, type Tensor, tidy } from "../../../torch";
import { asFolderError, FolderError } from "../../folder";
import { headerLength, LENGTH_BYTES, parseHeader, type TensorEntry } from "./header";

/** Bytes mapped and converted in one step. */
const STEP = 16 << 20;
const EXPECTED = "a safetensors file";

export interface ReadOptions {
  /** The file's dtype when left out, but bfloat16 for 8-bit floats, which hardly any operator takes. */
  dtype?: DType;
  device?: Device;
}

/**
 * One file, its header read and checked.
 *
 * ```ts
 * const file = new SafetensorsFile("model.safetensors");
 * const weight = file.read("model.norm.weight", { dtype: "float32" });
 * ```
 */
export class SafetensorsFile {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  private readonly size: number;

  /** @throws FolderError when the file cannot be read, or its header is not right */
  constructor(readonly path: string) {
    const fd = asFolderError(() => openInput(path, EXPECTED));
    try {
      this.size = fstatSync(fd).size;
      const length = headerLength(path, readAt(fd, 0, LENGTH_BYTES), this.size);
      ({ entries: this.entries, metadata: this.metadata } = parseHeader(path, readAt(fd, LENGTH_BYTES, length), this.size));
    } finally {
      closeSync(fd);
    }
  }

  /** A tensor of its own, in the dtype and on the device asked for. */
  read(name: string, { dtype, device }: ReadOptions = {}): Tensor {
    const entry = this.entry(name);
    const target = empty(entry.shape, { dtype: dtype ?? usableDType(entry.dtype), device });
    this.copyTo(name, target);
    return target;
  }

  /** The whole file as bytes, read when they are used. Disposing of it leaves the views taken of it. */
  map(): Tensor {
    const { size } = asFolderError(() => expectRegularFile(this.path, EXPECTED));
    if (size !== this.size)
      throw new FolderError(
        `Expected ${this.size} bytes in ${this.path}, as when its header was read, but received ${size}; ` +
          "another process has written to it",
      );
    try {
      return ops.fromFile(this.path, { shared: false, size, dtype: "uint8" });
    } catch (error) {
      if (!(error instanceof TorchError)) throw error;
      throw new FolderError(`Expected ${EXPECTED} that can be mapped at ${this.path} but received: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** A tensor's values where they are mapped, without a copy; undefined when they are not aligned for that. */
  view(name: string, map: Tensor): Tensor | undefined {
    const { dtype, shape, itemSize, start, end } = this.entry(name);
    if (start % itemSize !== 0) return undefined; // a header need not be padded
    return tidy(() =>
      map
        .narrow(0, start, end - start)
        .view(dtype)
        .view(shape),
    );
  }

  /** Writes a tensor's values into a contiguous one of the same number of elements, converting to its dtype. */
  copyTo(name: string, target: Tensor): void {
    const { dtype, itemSize, start, end } = this.entry(name);
    const count = (end - start) / itemSize;
    if (target.numel() !== count)
      throw new RangeError(`Expected a tensor of ${count} elements for '${name}' but received ${target.numel()}`);
    const step = STEP / itemSize;
    for (let from = 0; from < count; from += step) {
      tidy(() =>
        noGrad(() => {
          const length = Math.min(step, count - from);
          const first = start + from * itemSize;
          const bytes = this.map().narrow(0, first, length * itemSize);
          const aligned = first % itemSize === 0 ? bytes : bytes.clone();
          target.view([-1]).narrow(0, from, length).copy_(aligned.view(dtype));
        }),
      );
    }
  }

  private entry(name: string): TensorEntry {
    const entry = this.entries.get(name);
    if (!entry) throw new FolderError(`Expected a tensor '${name}' in ${this.path} but received none of that name`);
    return entry;
  }
}

/** The dtype to compute in with what a file holds. */
export function usableDType(dtype: DType): DType {
  return dtype.startsWith("float8") ? "bfloat16" : dtype;
}

/** Up to `length` bytes: fewer where the file ends. */
function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let read = 0;
  for (let got = -1; got !== 0 && read < length; read += got) got = readSync(fd, buffer, read, length - read, position + read);
  return buffer.subarray(0, read);
}
