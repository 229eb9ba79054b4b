/**
 * The tensors of one GGUF file: offsets are checked as ggml checks them, and values converted a part at a time, so that
 * there is never a second copy of a tensor on the host.
 */
import { closeSync, readSync } from "node:fs";
import { openInput } from "../../../base/files/inputFiles";
import { fromTypedArray, noGrad, type Tensor, tidy, zeros } from "../../../torch";
import { asFolderError, FolderError } from "../../folder";
import { expectPlace } from "../bytePlace";
import { align, type GgufHeader } from "./header";
import { type GgufType, ggufTypes, otherTypes } from "./types";

/**
 * Weights converted in one step: few enough for the processor's cache, and for libtorch not to divide the copy among
 * threads, which takes longer than the copy. A multiple of every block.
 */
const STEP = 32_768;

export interface GgufEntry {
  readonly shape: readonly number[];
  readonly type: GgufType;
  /** Its first byte, counted from the start of the file. */
  readonly start: number;
}

/** How values in the file differ from those wanted. */
export interface GgufChange {
  /** What is added to each. */
  readonly plus?: number;
  /**
   * The rows of each of so many heads come in pairs `[half, 2]`, and are wanted as two halves `[2, half]`: llama.cpp
   * rotates neighbours, Hugging Face the two halves.
   */
  readonly heads?: number;
}

export class GgufFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, GgufEntry>;

  /** @throws FolderError when a tensor is of a type that is not read, or does not lie where it must */
  constructor(readonly header: GgufHeader) {
    this.path = header.file;
    this.entries = checkTensors(header);
  }

  /** Writes a tensor's values into a contiguous one of the same shape, converting to its dtype. */
  copyTo(name: string, target: Tensor, { plus = 0, heads }: GgufChange = {}): void {
    const { type, start } = this.entries.get(name)!;
    const fd = asFolderError(() => openInput(this.path, "a GGUF file"));
    try {
      let at = start;
      tidy(() =>
        noGrad(() => {
          const parts = heads === undefined ? [target.view([-1])] : inPairs(target, heads);
          const rowSize = parts[0]!.numel() / parts[0]!.size(0);
          const rows = Math.max(1, Math.floor(STEP / rowSize));
          const bytes = new Uint8Array(((rows * rowSize) / type.blockSize) * type.blockBytes);
          const values = type.dequantise && new Float32Array(rows * rowSize);
          for (const part of parts) {
            for (let row = 0; row < part.size(0); row += rows) {
              const place = part.narrow(0, row, Math.min(rows, part.size(0) - row));
              const read = bytes.subarray(0, (place.numel() / type.blockSize) * type.blockBytes);
              this.readAt(fd, at, read, name);
              at += read.length;
              tidy(() => {
                const flat = decode(type, read, values).view(place.shape);
                place.copy_(plus === 0 ? flat : flat.add(plus));
              });
            }
          }
        }),
      );
    } finally {
      closeSync(fd);
    }
  }

  /** A small tensor's values. */
  floats(name: string): number[] {
    return tidy(() => {
      const values = zeros(this.entries.get(name)!.shape);
      this.copyTo(name, values);
      return Array.from(values.toArray() as Float32Array);
    });
  }

  private readAt(fd: number, position: number, bytes: Uint8Array, name: string): void {
    for (let at = 0, got = -1; at < bytes.length; at += got) {
      got = readSync(fd, bytes, at, bytes.length - at, position + at);
      if (got === 0) throw new FolderError(`Expected all of '${name}' in ${this.path} but the file has become shorter`);
    }
  }
}

/** The rows of each head in the order of the file: `[half, 2, ...]`. */
function inPairs(target: Tensor, heads: number): Tensor[] {
  const [rows, ...rest] = target.shape;
  const all = target.view([heads, 2, rows! / heads / 2, ...rest]);
  return Array.from({ length: heads }, (_, head) => all.select(0, head).transpose(0, 1));
}

/** The values of blocks, flat. `values` is room for them. */
function decode(type: GgufType, bytes: Uint8Array, values: Float32Array | undefined): Tensor {
  if (!type.dequantise) return fromTypedArray(bytes, [bytes.length], { dtype: "uint8" }).view(type.dtype!);
  const room = values!.subarray(0, (bytes.length / type.blockBytes) * type.blockSize);
  type.dequantise(bytes, room);
  return fromTypedArray(room);
}

/** Tensors must lie one after another, each at the next multiple of the alignment, all within the file. */
function checkTensors({ file, fileSize, tensors, dataStart, alignment }: GgufHeader): Map<string, GgufEntry> {
  const entries = new Map<string, GgufEntry>();
  let at = dataStart;
  for (const { name, shape, type: number, start } of tensors) {
    const type = ggufTypes.get(number);
    if (!type)
      throw new FolderError(
        `Expected ${[...ggufTypes.values()].map((each) => each.name).join(", ")} for the type of '${name}' in ` +
          `${file} but received ${otherTypes.get(number) ?? `number ${number}`}; it is not supported`,
      );
    if (entries.has(name)) throw new FolderError(`Expected each name once in ${file} but received '${name}' twice`);
    const { blockSize, blockBytes } = type;
    if (shape.at(-1)! % blockSize !== 0)
      throw new FolderError(
        `Expected rows of a multiple of ${blockSize} weights for '${name}' (${type.name}) in ${file} but received ` +
          `[${shape.join(", ")}]`,
      );
    const end = start + (shape.reduce((product, size) => product * size, 1) / blockSize) * blockBytes;
    expectPlace(name, { start, end }, at, file, fileSize);
    entries.set(name, { shape, type, start });
    at = align(end, alignment);
  }
  return entries;
}
