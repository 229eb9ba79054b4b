/** Reading fixtures and making their inputs: the TypeScript side of scripts/parity/common.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Module } from "../../src/nn";
import { type DType, fromTypedArray, memory, noGrad, type Tensor, tidy } from "../../src/torch";

/** What scripts/parity/<name>.py wrote. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(__dirname, `${name}.json`), "utf8")) as T;
}

/** A folder that scripts/parity made: `folderOf("adapters", "regex")`. */
export function folderOf(...path: string[]): string {
  return join(__dirname, ...path);
}

/** scale * sin(i + 0.3 i^2 + phase) over the flat index i. */
export function wave(shape: readonly number[], scale = 1, phase = 0, dtype: DType = "float32"): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float64Array.from({ length: count }, (_, i) => scale * Math.sin(i + 0.3 * i * i + phase));
  return fromTypedArray(values, shape, { dtype });
}

/** Gives every parameter a wave with the phase of its place among the sorted names; norm weights get 1 + wave. */
export function fillWithWaves<M extends Module>(module: M, scale = 0.5): M {
  const parameters = [...module.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  tidy(() =>
    noGrad(() => {
      for (const [phase, [name, parameter]] of parameters.entries()) {
        const value = wave(parameter.shape, scale, phase, "float64");
        parameter.copy_(name.includes("norm") ? value.add(1) : value);
      }
    }),
  );
  return module;
}

/** Back-propagates from the sum of output * wave. */
export function backward(output: Tensor): void {
  output
    .mul(wave(output.shape, 1, 9, output.dtype))
    .sum()
    .backward();
}

/** Every value within `tolerance`, absolute below 1 and relative above. */
export function expectClose(actual: Tensor, expected: readonly number[], tolerance = 1e-5, what = "tensor"): void {
  const values = actual.to("float64").toArray() as Float64Array;
  expect(values.length, what).toBe(expected.length);
  let worst = 0;
  values.forEach((value, i) => {
    const difference = Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    if (!(difference <= worst)) worst = difference;
  });
  expect(worst, `largest difference of ${what}`).toBeLessThanOrEqual(tolerance);
}

/** The gradient of every parameter that has one, and of no other. */
export function expectGradients(module: Module, expected: Record<string, number[]>, tolerance = 1e-5): void {
  const grads = new Map([...module.namedParameters()].flatMap(([name, { grad }]) => (grad ? [[name, grad]] : [])));
  expect([...grads.keys()].sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) expectClose(grads.get(name)!, values, tolerance, `grad of ${name}`);
}

/** How many tensors are alive after `fn` that were not before; temporaries are freed by a scope. */
export function leakedBy(fn: () => void): number {
  const before = memory().tensors;
  tidy(() => fn());
  return memory().tensors - before;
}
