/**
 * The types of GGUF tensors: blocks of weights along the rows, with a scale (and a minimum) for each block, and the
 * layout of their bits (ggml-quants.c; gguf-py's `quants.py` gives the same values). Every product here is exact in
 * float32 and only a sum rounds, so that float64 arithmetic stored as float32 gives the values of float32 arithmetic.
 * Left out: 2- and 3-bit types, the "IQ", "TQ" and "FP4" ones.
 */
import type { DType } from "../../../torch";

export interface GgufType {
  readonly name: string;
  /** Weights in a block, and the bytes it takes. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** The dtype, when the weights are stored as they are. */
  readonly dtype?: DType;
  /** Writes the values of the blocks in `bytes`. */
  readonly dequantise?: (bytes: Uint8Array, values: Float32Array) => void;
}

const plain = (name: string, dtype: DType, blockBytes: number): GgufType => ({ name, blockSize: 1, blockBytes, dtype });

const small = (name: string, blockBytes: number, dequantise: GgufType["dequantise"]): GgufType => ({
  name,
  blockSize: 32,
  blockBytes,
  dequantise,
});

const large = (name: string, blockBytes: number, dequantise: GgufType["dequantise"]): GgufType => ({
  name,
  blockSize: 256,
  blockBytes,
  dequantise,
});

/** By ggml's number. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map([
  [0, plain("F32", "float32", 4)],
  [1, plain("F16", "float16", 2)],
  [2, small("Q4_0", 18, q4_0)],
  [3, small("Q4_1", 20, q4_1)],
  [6, small("Q5_0", 22, q5_0)],
  [7, small("Q5_1", 24, q5_1)],
  [8, small("Q8_0", 34, q8_0)],
  [12, large("Q4_K", 144, q4_k)],
  [13, large("Q5_K", 176, q5_k)],
  [14, large("Q6_K", 210, q6_k)],
  [28, plain("F64", "float64", 8)],
  [30, plain("BF16", "bfloat16", 2)],
]);

/** Names of types that are not read, by ggml's number. */
export const otherTypes: ReadonlyMap<number, string> = new Map([
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
  [40, "NVFP4"],
  [41, "Q1_0"],
]);

let table: Float32Array | undefined;

/** The value of each float16 by its bits. */
const halves = (): Float32Array => (table ??= Float32Array.from({ length: 65_536 }, (_, bits) => valueOfHalf(bits)));

function valueOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const half = (bytes: Uint8Array, at: number): number => halves()[bytes[at]! | (bytes[at + 1]! << 8)]!;

/** Bytes of a block: scale (2), then 4 bits a weight: those of weights 0 to 15 low, of 16 to 31 high. */
function q4_0(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 18, to += 32) {
    const scale = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i]!;
      values[to + i] = scale * ((pair & 15) - 8);
      values[to + 16 + i] = scale * ((pair >> 4) - 8);
    }
  }
}

/** Scale (2), minimum (2), 4 bits a weight. */
function q4_1(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 20, to += 32) {
    const scale = half(bytes, at);
    const minimum = half(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i]!;
      values[to + i] = scale * (pair & 15) + minimum;
      values[to + 16 + i] = scale * (pair >> 4) + minimum;
    }
  }
}

/** Scale (2), the fifth bit of each weight (4), the lower four. */
function q5_0(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 22, to += 32) {
    const scale = half(bytes, at);
    const fifth = word(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i]!;
      values[to + i] = scale * (((pair & 15) | (((fifth >>> i) & 1) << 4)) - 16);
      values[to + 16 + i] = scale * (((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) - 16);
    }
  }
}

/** Scale (2), minimum (2), fifth bits (4), the lower four. */
function q5_1(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 24, to += 32) {
    const scale = half(bytes, at);
    const minimum = half(bytes, at + 2);
    const fifth = word(bytes, at + 4);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i]!;
      values[to + i] = scale * ((pair & 15) | (((fifth >>> i) & 1) << 4)) + minimum;
      values[to + 16 + i] = scale * ((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) + minimum;
    }
  }
}

/** Scale (2), a signed byte a weight. */
function q8_0(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 34, to += 32) {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) values[to + i] = scale * ((bytes[at + 2 + i]! << 24) >> 24);
  }
}

/** Scale (2) and minimum (2) of eight groups' scales and minima of 6 bits (12), 4 bits a weight. */
function q4_k(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 144, to += 256) {
    for (let group = 0; group < 8; group++) {
      const scale = half(bytes, at) * groupScale(bytes, at + 4, group);
      const minimum = half(bytes, at + 2) * groupMinimum(bytes, at + 4, group);
      const low = at + 16 + (group >> 1) * 32; // two groups share 32 bytes
      const shift = (group & 1) * 4;
      for (let i = 0; i < 32; i++) values[to + group * 32 + i] = scale * ((bytes[low + i]! >> shift) & 15) - minimum;
    }
  }
}

/** As Q4_K, with the fifth bits (32): bit `group` of byte i. */
function q5_k(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 176, to += 256) {
    for (let group = 0; group < 8; group++) {
      const scale = half(bytes, at) * groupScale(bytes, at + 4, group);
      const minimum = half(bytes, at + 2) * groupMinimum(bytes, at + 4, group);
      const low = at + 48 + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const fifth = ((bytes[at + 16 + i]! >> group) & 1) << 4;
        values[to + group * 32 + i] = scale * (((bytes[low + i]! >> shift) & 15) | fifth) - minimum;
      }
    }
  }
}

/** The lower 4 bits (128) and upper 2 bits (64) of each weight, a signed scale for 16 weights (16), their scale (2). */
function q6_k(bytes: Uint8Array, values: Float32Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 210, to += 256) {
    const scale = half(bytes, at + 208);
    for (let group = 0; group < 8; group++) {
      const low = at + (group >> 2) * 64 + (group & 1) * 32;
      const lowShift = (group & 2) * 2;
      const high = at + 128 + (group >> 2) * 32;
      const highShift = (group & 3) * 2;
      for (let i = 0; i < 32; i++) {
        const weight = ((bytes[low + i]! >> lowShift) & 15) | (((bytes[high + i]! >> highShift) & 3) << 4);
        const own = (bytes[at + 192 + group * 2 + (i >> 4)]! << 24) >> 24;
        values[to + group * 32 + i] = scale * own * (weight - 32);
      }
    }
  }
}

/** Of 12 bytes: 6 bits of a scale in bytes 0 to 3; of the later ones 4 low in bytes 8 to 11, 2 in the tops of 0 to 3. */
function groupScale(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group]! & 63;
  return (bytes[at + 4 + group]! & 15) | ((bytes[at + group - 4]! >> 6) << 4);
}

/** Likewise in bytes 4 to 7, and 4 high in 8 to 11 with 2 in the tops of 4 to 7. */
function groupMinimum(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + 4 + group]! & 63;
  return (bytes[at + 4 + group]! >> 4) | ((bytes[at + group]! >> 6) << 4);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
