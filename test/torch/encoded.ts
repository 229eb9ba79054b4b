/** Tensors, arguments and results as scripts/parity/encoded.py writes them. */
import { expect } from "vitest";
import { arange, type DType, fromTypedArray, ops, Tensor, tensor } from "../../src/torch";
import { jsName } from "../../src/torch/schemas";
import { expectClose, wave } from "../parity/fixture";

/** A number, or the name of one JSON cannot hold; complex ones are pairs. */
type Value = number | boolean | string;

export interface EncodedTensor {
  wave?: number[];
  scale?: number;
  phase?: number;
  arange?: number;
  values?: Value[];
  shape?: number[];
  dtype?: DType;
  grad?: boolean;
}

export interface Result {
  shape: number[];
  dtype: DType;
  values: Value[];
}

type Encoded = null | Value | EncodedTensor | Encoded[];

export interface Call {
  op: string;
  args: Encoded[];
  options?: Record<string, Encoded>;
  result?: unknown;
  /** In-place operators: what the tensors among the arguments hold afterwards. */
  after?: Result[];
  /** Of every argument that asks for one, from the sum of all outputs * wave. */
  grads?: (Value[] | null)[];
}

const special: Record<string, number> = { nan: NaN, inf: Infinity, "-inf": -Infinity, "-0.0": -0 };

export function number(value: Value): number {
  return typeof value === "string" ? (special[value] ?? Number(value)) : Number(value);
}

export function makeTensor(spec: EncodedTensor): Tensor {
  const { dtype = "float32", shape } = spec;
  let made: Tensor;
  if (spec.wave) made = wave(spec.wave, spec.scale, spec.phase, dtype);
  else if (spec.arange !== undefined) made = arange(spec.arange).to(dtype);
  else if (dtype.startsWith("complex"))
    made = fromTypedArray(Float64Array.from(spec.values!.flat(), number), [spec.values!.length, 2]).viewAsComplex().to(dtype);
  else if (dtype.includes("int"))
    made = tensor(
      spec.values!.map((value) => (typeof value === "string" ? BigInt(value) : value)),
      { dtype },
    );
  else made = fromTypedArray(Float64Array.from(spec.values!, number), [spec.values!.length], { dtype });
  return (shape ? made.reshape(shape) : made).requiresGrad_(spec.grad ?? false);
}

/** An argument as the binding takes it; collects the tensors in the order of their appearance. */
function decode(value: Encoded, tensors: Tensor[]): unknown {
  if (Array.isArray(value)) return value.map((element) => decode(element, tensors));
  if (typeof value !== "object" || value === null) return value;
  const made = makeTensor(value);
  tensors.push(made);
  return made;
}

/** Makes the call; returns its result and the tensors it was made with. */
export function make({ op, args, options }: Call): { result: unknown; tensors: Tensor[] } {
  const tensors: Tensor[] = [];
  const decoded = args.map((value) => decode(value, tensors));
  if (options)
    decoded.push(Object.fromEntries(Object.entries(options).map(([key, value]) => [jsName(key), decode(value, tensors)])));
  const invoke = (ops as unknown as Record<string, (...args: unknown[]) => unknown>)[jsName(op)]!;
  return { result: invoke(...decoded), tensors };
}

/** Tensors by shape, dtype and values; lists element by element; everything else exactly. */
export function expectResult(actual: unknown, expected: unknown, tolerance: number, what = "result"): void {
  if (Array.isArray(expected)) {
    expect(actual, what).toHaveLength(expected.length);
    expected.forEach((element, i) => expectResult((actual as unknown[])[i], element, tolerance, `${what} ${i}`));
  } else if (typeof expected === "object" && expected !== null) {
    const { shape, dtype, values } = expected as Result;
    expect(actual, what).toBeInstanceOf(Tensor);
    const tensor = actual as Tensor;
    expect({ shape: tensor.shape, dtype: tensor.dtype }, what).toEqual({ shape, dtype });
    expectNumbers(tensor, values, tolerance, what);
  } else expect(actual, what).toBe(expected);
}

/** As `expectClose`, where NaN and infinities equal themselves. */
export function expectNumbers(actual: Tensor, values: readonly Value[], tolerance: number, what = "values"): void {
  const wanted = values.map(number);
  const finite = wanted.map(Number.isFinite);
  const got = Array.from(actual.to("float64").toArray() as Float64Array);
  expect(
    got.filter((_, i) => !finite[i]),
    what,
  ).toEqual(wanted.filter((_, i) => !finite[i]));
  expectClose(
    fromTypedArray(Float64Array.from(got, (value, i) => (finite[i] ? value : 0))),
    wanted.map((value, i) => (finite[i] ? value : 0)),
    tolerance,
    what,
  );
}

export function outputs(result: unknown): Tensor[] {
  return result instanceof Tensor ? [result] : Array.isArray(result) ? result.flatMap(outputs) : [];
}
