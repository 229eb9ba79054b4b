/**
 * Calls random ATen operators with plausible arguments: `fuzzOperators.ts SEED RUNS`. Each call is written to stderr
 * before it is made, so that the last line names the one that ended the process.
 */
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import fc from "fast-check";
import { binding } from "../../../src/native/binding";
import type { ArgumentDescription } from "../../../src/native/interface";
import { report } from "../../setup/report";
import { isExcluded } from "./exclusions";

const [seed, runs] = process.argv.slice(2).map(Number) as [number, number];

const names = binding
  .operatorNames()
  .filter((name) => name.startsWith("aten::") && !isExcluded(name))
  .sort();

const float32 = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer);
const int64 = (...values: number[]) => new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
const range = (count: number) => Array.from({ length: count }, (_, i) => i - 2);

const [FLOAT32, FLOAT64, INT64, BOOL, COMPLEX64, BFLOAT16] = [6, 7, 4, 11, 9, 15];

/** Makes the tensors that a call may use. */
const pool: (() => number)[] = [
  () => binding.fromBytes(float32(...range(6)), FLOAT32, [2, 3]),
  () => binding.fromBytes(float32(...range(6)), FLOAT32, [3, 2]),
  () => binding.fromBytes(float32(...range(3)), FLOAT32, [3]),
  () => binding.fromBytes(float32(0.5), FLOAT32, []),
  () => binding.fromBytes(float32(), FLOAT32, [0, 3]),
  () => binding.fromBytes(float32(...range(9)), FLOAT32, [3, 3]),
  () => binding.fromBytes(float32(...range(32)), FLOAT32, [1, 2, 4, 4]),
  () => binding.fromBytes(float32(...range(12)), FLOAT32, [2, 2, 3]),
  () => binding.fromBytes(float32(NaN, Infinity, -1), FLOAT32, [3]),
  () => binding.fromBytes(new Uint8Array(48), FLOAT64, [2, 3]),
  () => binding.fromBytes(int64(0, 1, 2), INT64, [3]),
  () => binding.fromBytes(int64(-1, 5, 9, 0, 1, 2), INT64, [2, 3]),
  () => binding.fromBytes(int64(1), INT64, []),
  () => binding.fromBytes(new Uint8Array([1, 0, 1]), BOOL, [3]),
  () => binding.fromBytes(new Uint8Array(24), COMPLEX64, [3]),
  () => binding.fromBytes(new Uint8Array(12), BFLOAT16, [2, 3]),
  () => required(binding.fromBytes(float32(...range(6)), FLOAT32, [2, 3])),
  () => required(binding.fromBytes(float32(...range(3)), FLOAT32, [3])),
];

function required(slot: number): number {
  binding.setRequiresGrad(slot, true);
  return slot;
}

const ints = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: -1, max: 3 }) }, fc.constantFrom(-2, 4, 7));
const doubles = fc.constantFrom(0, 1, -1, 0.5, 1e-5, 3, NaN, Infinity);
const byKind: Record<ArgumentDescription["kind"], fc.Arbitrary<unknown>> = {
  Tensor: fc.nat({ max: pool.length - 1 }),
  Scalar: fc.oneof(ints, doubles, fc.boolean(), fc.constant({ real: 1, imag: -1 })),
  int: ints,
  float: doubles,
  bool: fc.boolean(),
  str: fc.constantFrom("mean", "none", "sum", "trunc", "floor", "ij,jk->ik", "linear", "reflect", "lower", "", "fro"),
  dtype: fc.constantFrom(FLOAT32, FLOAT64, INT64, BOOL, BFLOAT16, COMPLEX64, 0, 12),
  layout: fc.constantFrom(0, 1),
  Device: fc.constantFrom("cpu", "meta"),
  MemoryFormat: fc.integer({ min: 0, max: 3 }),
  Generator: fc.constant(0),
  Storage: fc.nat({ max: pool.length - 1 }),
  Stream: fc.constant("cpu"),
  other: fc.constant(null),
};

function argument({ kind, list, optional, optionalElement, size, hasDefault }: ArgumentDescription): fc.Arbitrary<unknown> {
  const element = optionalElement ? fc.oneof({ weight: 3, arbitrary: byKind[kind] }, fc.constant(null)) : byKind[kind];
  const value = list ? fc.array(element, size > 0 ? { minLength: size, maxLength: size } : { maxLength: 4 }) : element;
  const absent = [...(optional ? [null] : []), ...(hasDefault ? [undefined] : [])];
  return absent.length === 0 ? value : fc.oneof({ weight: 2, arbitrary: value }, fc.constantFrom(...absent));
}

const call = fc.constantFrom(...names).chain((name) => {
  const id = binding.findOperator(name);
  return fc.tuple(...binding.describeOperator(id).arguments.map(argument)).map((args) => ({ name, id, args }));
});

const counts = { calls: 0, errors: 0 };

function attempt({ name, id, args }: { name: string; id: number; args: unknown[] }): void {
  // Each call has tensors of its own making: libtorch leaves some of them broken when it throws.
  for (let slot = 0; slot < pool.length; slot++) binding.release(slot);
  pool.forEach((make) => make());
  counts.calls++;
  writeSync(2, `${name} ${inspect(args, { breakLength: Infinity })}\n`);
  try {
    binding.call(id, ...args);
  } catch (error) {
    counts.errors++;
    if (!(error instanceof Error)) throw new Error(`${name} threw ${String(error)}, which is no Error`);
    const left = binding.liveTensors() - pool.length;
    if (left !== 0) throw new Error(`${name} left ${left} tensors behind when it threw: ${error.message}`);
  }
  for (let slot = pool.length; binding.liveTensors() > pool.length; slot++) binding.release(slot);
  binding.setGradEnabled(true);
}

binding.createGenerator("cpu");
const { failed, errorInstance } = fc.check(fc.property(call, attempt), { seed, numRuns: runs, endOnFailure: true });
if (failed) throw errorInstance;
for (let slot = 0; slot < pool.length; slot++) binding.release(slot);
report({ ...counts, operators: names.length, left: binding.liveTensors() });
