/**
 * Writing safetensors files as Hugging Face's library lays them out: tensors with wide elements first, so that all are
 * aligned, then by name. Values leave the device a few megabytes at a time.
 */

import { type FileHandle, open } from "node:fs/promises";
import { writeAll } from "../../../base/files/wholeFiles";
import { type DType, isFloatingPoint, noGrad, type Tensor, tidy } from "../../../torch";
import { byteSize, formatHeader, itemSizeOf } from "./header";

/** Bytes brought to the host in one step. */
const STEP = 16 << 20;

/** Tensors by name, in the dtype they are written in. */
export interface WritableTensor {
  readonly name: string;
  readonly tensor: Tensor;
  readonly dtype: DType;
  readonly bytes: number;
}

/** Prepares tensors for writing; those of floating point as `dtype` when it is given. */
export function writable(tensors: Readonly<Record<string, Tensor>>, dtype?: DType): WritableTensor[] {
  return Object.entries(tensors).map(([name, tensor]) => {
    const as = dtype !== undefined && isFloatingPoint(tensor.dtype) ? dtype : tensor.dtype;
    if (itemSizeOf(as) === undefined)
      throw new TypeError(`Expected a dtype that safetensors has for '${name}' but received ${as}`);
    return { name, tensor, dtype: as, bytes: byteSize(as, tensor.shape) };
  });
}

/** Writes one whole file. The metadata says that it was made with PyTorch, which transformers asks for. */
export async function writeSafetensors(file: FileHandle, tensors: readonly WritableTensor[]): Promise<void> {
  const ordered = [...tensors].sort((a, b) => itemSizeOf(b.dtype)! - itemSizeOf(a.dtype)! || (a.name < b.name ? -1 : 1));
  const described = ordered.map(({ name, dtype, tensor: { shape } }) => ({ name, dtype, shape }));
  await writeAll(file, formatHeader(described, { format: "pt" }));
  for (const tensor of ordered) for (const bytes of bytesOf(tensor)) await writeAll(file, bytes);
}

/** Writes tensors to a new file and flushes it; for folders that are renamed into place when all is written. */
export async function saveTensors(path: string, tensors: Readonly<Record<string, Tensor>>): Promise<void> {
  const file = await open(path, "w");
  try {
    await writeSafetensors(file, writable(tensors));
    await file.sync();
  } finally {
    await file.close();
  }
}

function* bytesOf({ tensor, dtype, bytes }: WritableTensor): Generator<Uint8Array> {
  const count = tensor.numel();
  const step = Math.floor((STEP * count) / bytes);
  for (let from = 0; from < count; from += step) {
    yield tidy(() =>
      noGrad(() => {
        const flat = tensor
          .detach()
          .reshape([-1])
          .narrow(0, from, Math.min(step, count - from));
        return flat.to({ dtype, device: "cpu" }).contiguous().view("uint8").toArray() as Uint8Array;
      }),
    );
  }
}
