/**
 * Calls every native entry point with arbitrary values: `fuzzEntries.ts SEED RUNS`. Each call is written to stderr before
 * it is made, so that the last line names the one that ended the process.
 */
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import fc from "fast-check";
import { binding } from "../../../src/native/binding";
import type { NativeBinding } from "../../../src/native/interface";
import { report } from "../../setup/report";
import { argumentsFor, type Want } from "./arguments";

const [seed, runs] = process.argv.slice(2).map(Number) as [number, number];

const signatures: Record<keyof NativeBinding, Want[]> = {
  setErrorFactory: ["int"],
  versions: [],
  findOperator: ["string"],
  operatorNames: [],
  describeOperator: ["int"],
  call: [],
  release: ["slot"],
  alias: ["slot"],
  liveTensors: [],
  shape: ["slot"],
  strides: ["slot"],
  dtype: ["slot"],
  device: ["slot"],
  isDense: ["slot"],
  isSame: ["slot", "slot"],
  requiresGrad: ["slot"],
  setRequiresGrad: ["slot", "bool"],
  isLeaf: ["slot"],
  gradFn: ["slot"],
  retainGrad: ["slot"],
  gradient: ["slot"],
  setGradient: ["slot", "slot"],
  backward: ["slots", "slots", "bool", "bool", "slots"],
  grad: ["slots", "slots", "slots", "bool", "bool", "bool"],
  gradEnabled: [],
  setGradEnabled: ["bool"],
  fromBytes: ["bytes", "dtype", "sizes"],
  readBytes: ["slot"],
  readBytesAsync: ["slot"],
  item: ["slot"],
  manualSeed: ["seed"],
  createGenerator: ["device"],
  releaseGenerator: ["generator"],
  seedGenerator: ["generator", "seed"],
  generatorState: ["generator"],
  setGeneratorState: ["generator", "slot"],
  accelerator: [],
  deviceName: ["device"],
  synchronize: ["device"],
  emptyCache: ["device"],
  memoryStats: ["device"],
  resetPeakMemory: ["device"],
  reportMemory: [],
  threads: [],
  setThreads: ["int"],
};

/** Operators with every kind of argument between them, none of which trusts its arguments. */
const operators: Record<string, Want[]> = {
  "aten::add.Tensor": ["slot", "slot", "int"],
  "aten::add.Scalar": ["slot", "any"],
  "aten::matmul": ["slot", "slot"],
  "aten::exp": ["slot"],
  "aten::sum.dim_IntList": ["slot", "sizes", "bool", "dtype"],
  "aten::max.dim": ["slot", "int", "bool"],
  "aten::cat": ["slots", "int"],
  "aten::index.Tensor": ["slot", "slots"],
  "aten::empty.memory_format": ["sizes", "dtype", "int", "device", "bool", "int"],
  "aten::_to_copy": ["slot", "dtype", "int", "device", "bool", "bool", "int"],
  "aten::normal_": ["slot", "int", "int", "generator"],
  "aten::einsum": ["string", "slots"],
  "aten::reshape": ["slot", "sizes"],
  "aten::set_data": ["slot", "slot"],
};
const ids = Object.keys(operators).map((name) => binding.findOperator(name));

const call = fc.oneof(
  fc.integer({ min: 0, max: ids.length - 1 }).chain((at) =>
    argumentsFor(Object.values(operators)[at]!).map((args) => ({
      name: "call" as const,
      args: [ids[at], ...args] as unknown[],
    })),
  ),
  fc
    .constantFrom(...(Object.keys(binding) as (keyof NativeBinding)[]))
    .chain((name) =>
      argumentsFor(signatures[name]).map((args) => ({ name, args: name === "call" && args.length > 0 ? [-1, ...args] : args })),
    ),
);

function fill(): void {
  for (let i = 0; i < 12; i++) {
    const slot = binding.fromBytes(new Uint8Array(24), i % 3 === 0 ? 4 : 6, i % 3 === 0 ? [3] : [2, 3]);
    if (i % 3 === 1) binding.setRequiresGrad(slot, true);
  }
  binding.createGenerator("cpu");
}

function clear(): void {
  for (let slot = 0; slot < 5000; slot++) binding.release(slot);
  for (let slot = 0; slot < 50; slot++) binding.releaseGenerator(slot);
  binding.setThreads(1);
  binding.setGradEnabled(true);
}

const counts = { calls: 0, errors: 0 };
const pending: Promise<unknown>[] = [];

function attempt({ name, args }: { name: keyof NativeBinding; args: unknown[] }): void {
  if (name === "setErrorFactory" && typeof args[0] === "function") return; // it would replace ours
  counts.calls++;
  writeSync(
    2,
    `${name} ${inspect(args, { depth: 1, breakLength: Infinity, maxArrayLength: 8, maxStringLength: 40, customInspect: false })}\n`,
  );
  try {
    const result: unknown = (binding[name] as (...args: unknown[]) => unknown)(...args);
    if (result instanceof Promise) pending.push(result.catch(check));
  } catch (error) {
    check(error);
  }
}

function check(error: unknown): void {
  counts.errors++;
  if (!(error instanceof Error)) throw new Error(`threw ${inspect(error)}, which is no Error`);
}

async function main(): Promise<void> {
  const missing = Object.keys(binding).filter((name) => !Object.hasOwn(signatures, name));
  const sequence = fc.array(call, { minLength: 10, maxLength: 40 });
  const { failed, errorInstance } = fc.check(
    fc.property(sequence, (calls) => {
      clear();
      fill();
      calls.forEach(attempt);
    }),
    { seed, numRuns: runs, endOnFailure: true },
  );
  if (failed) throw errorInstance;
  await Promise.all(pending);
  clear();
  report({ ...counts, missing, left: binding.liveTensors() });
}

void main();
