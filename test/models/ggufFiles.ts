/** Writing GGUF files by hand, wrong ones too. */
import { writeFileSync } from "node:fs";

type Value = number | boolean | string | readonly (number | string)[];

export interface TensorSpec {
  name: string;
  /** As in PyTorch. */
  shape: readonly number[];
  /** ggml's number of the type; F32 when left out. */
  type?: number;
  /** From the start of the data; after the tensor before it when left out. */
  offset?: number;
  /** Bytes of data; four for each element when left out. */
  bytes?: number;
}

const u32 = (value: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
};
const u64 = (value: number | bigint) => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
};
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const f32 = (value: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return buffer;
};

/** Integers are uint32, other numbers float32. */
function typed(value: Value): [number, Buffer] {
  if (typeof value === "string") return [8, text(value)];
  if (typeof value === "boolean") return [7, Buffer.from([value ? 1 : 0])];
  if (typeof value === "number") return Number.isInteger(value) && value >= 0 ? [4, u32(value)] : [6, f32(value)];
  const items = value.map((each) => (typeof each === "string" ? text(each) : f32(each)));
  return [9, Buffer.concat([u32(typeof value[0] === "string" ? 8 : 6), u64(value.length), ...items])];
}

/** The bytes of a file with this metadata and these tensors, full of zeros. */
export function ggufBytes(
  metadata: Record<string, Value>,
  tensors: readonly TensorSpec[] = [],
  { version = 3, tensorCount = tensors.length }: { version?: number; tensorCount?: number | bigint } = {},
): Buffer {
  const pairs = Object.entries(metadata).flatMap(([key, value]) => {
    const [type, bytes] = typed(value);
    return [text(key), u32(type), bytes];
  });
  let next = 0;
  const infos = tensors.map(({ name, shape, type = 0, offset = next, bytes }) => {
    const size = bytes ?? 4 * shape.reduce((product, each) => product * each, 1);
    next = Math.ceil((offset + size) / 32) * 32;
    return Buffer.concat([text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(type), u64(offset)]);
  });
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    u32(version),
    u64(tensorCount),
    u64(Object.keys(metadata).length),
    ...pairs,
    ...infos,
  ]);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(next)]);
}

export function writeGguf(path: string, ...args: Parameters<typeof ggufBytes>): string {
  writeFileSync(path, ggufBytes(...args));
  return path;
}
