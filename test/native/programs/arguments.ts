/** Values of every kind for the native entry points, reproducible from a seed. */
import fc from "fast-check";
import { binding } from "../../../src/native/binding";

/** What kind of value an entry point asks for; `slots` is an array of tensors, `any` everything there is. */
export type Want =
  | "slot"
  | "slots"
  | "generator"
  | "int"
  | "seed"
  | "bool"
  | "string"
  | "device"
  | "bytes"
  | "sizes"
  | "dtype"
  | "any";

/** Sizes are small, or far too large: one in between would be allocated and filled. */
const integers = fc.constantFrom(-2, -1, 0, 1, 2, 3, 5, 64, 2 ** 42, 2 ** 53 - 1);
const numbers = fc.oneof(
  integers,
  fc.constantFrom(NaN, Infinity, -Infinity, -0, 0.5, -1.5, 2 ** 53, 2 ** 64, 1e300, 5e-324, -(2 ** 31) - 1),
);
const bigints = fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n, 2n ** 200n);
const devices = fc.constantFrom("cpu", "meta", "cuda", "cuda:99", "cpu:0", "cuda:-1", "flubber", "", "cpu:", "\ud800", "mps");
const strings = fc.oneof(
  devices,
  fc.constantFrom("aten::add.Tensor", "aten::", "::", ".", "a".repeat(10_000), "\0"),
  fc.string({ unit: "binary", maxLength: 8 }),
);

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function throwing(): object {
  return Object.defineProperty({ imag: 0 }, "real", {
    enumerable: true,
    get: () => {
      throw new Error("a getter of the caller's");
    },
  });
}

/** An array whose element frees tensors when it is read. */
function treacherous(slot: number): unknown[] {
  return Object.defineProperty([slot, 0], 1, {
    enumerable: true,
    get() {
      binding.release(slot);
      binding.findOperator("aten::tanh");
      return slot;
    },
  });
}

const bytes = fc.oneof(
  fc.nat({ max: 64 }).map((length) => new Uint8Array(length)),
  fc
    .constantFrom<(() => unknown)[]>(
      detached,
      () => new Float32Array(4),
      () => new DataView(new ArrayBuffer(8)),
      () => new ArrayBuffer(8),
      () => new Uint8Array(new SharedArrayBuffer(8)),
      () => new Uint8ClampedArray(4),
      () => new BigInt64Array(1),
    )
    .map((make) => make()),
);

const objects = fc
  .constantFrom<(() => unknown)[]>(
    () => ({}),
    () => ({ real: 1, imag: 2 }),
    () => ({ real: "x", imag: {} }),
    throwing,
    () => Object.create(null),
    () => new Proxy([1], {}),
    () => new Proxy({}, { get: () => 1 }),
    () => new Date(NaN),
    () => new Map(),
    () => /x/,
    () => new Array(100_000),
    () => [,],
    () => Array.from({ length: 200 }, () => 0),
    () => Object.assign(() => 1, { toString: null }), // eslint-disable-line no-sparse-arrays
    () => Symbol("s"),
    () => Symbol.iterator,
    () => function named() {},
    () => class {},
    () => Promise.resolve(1),
    () => globalThis,
  )
  .map((make) => make());

const { any } = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2, withCrossShrink: false },
    numbers,
    bigints,
    strings,
    fc.boolean(),
    fc.constantFrom(null, undefined),
    objects,
    bytes,
    fc.array(tie("any"), { maxLength: 4 }),
    fc.nat({ max: 15 }).map(treacherous),
  ),
}));

/** Slots live and dead: the first ones are kept filled. */
const slots = fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 15 }) }, fc.constantFrom(-1, 10_000, 2 ** 31, NaN));

const right: Record<Want, fc.Arbitrary<unknown>> = {
  slot: slots,
  slots: fc.oneof(fc.array(slots, { maxLength: 4 }), fc.nat({ max: 15 }).map(treacherous)),
  generator: fc.oneof(fc.nat({ max: 4 }), devices),
  int: integers,
  seed: fc.oneof(fc.integer(), bigints),
  bool: fc.boolean(),
  string: strings,
  device: devices,
  bytes,
  sizes: fc.oneof(fc.array(integers, { maxLength: 4 }), fc.constant([8]), fc.constant([2, 4])),
  dtype: fc.integer({ min: -1, max: 50 }),
  any,
};

/** Arguments for a signature: mostly of the right kind and number, each now and then of any. */
export function argumentsFor(signature: readonly Want[]): fc.Arbitrary<unknown[]> {
  const fitting = fc.tuple(
    ...signature.map((want) => fc.oneof({ weight: 19, arbitrary: right[want] }, { weight: 1, arbitrary: any })),
  );
  return fc.oneof({ weight: 9, arbitrary: fitting }, { weight: 1, arbitrary: fc.array(any, { maxLength: 9 }) });
}
