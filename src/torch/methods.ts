/**
 * Installs every ATen operator as a method of `Tensor` and as a function of `ops`, from the running library's own
 * list; `ops.generated.ts` holds their types. Methods written by hand (`shape`, `to`, `index`, …) come first.
 */
import { binding } from "../native/binding";
import { inspectTensor } from "./display";
import { type DType, dtypes, isDType } from "./dtype";
import { type Index, index, indexPut_ } from "./indexing";
import { type Operator, camelCase, describeValue, invoke } from "./operators";
import type { Ops, TensorMethods } from "./ops.generated";
import { type Device, Tensor } from "./tensor";

export interface ToOptions {
  dtype?: DType;
  device?: Device;
  /** Copy even when nothing changes. */
  copy?: boolean;
  /** Do not wait for a copy between host and device. */
  nonBlocking?: boolean;
}

declare module "./tensor" {
  interface Tensor extends TensorMethods {
    /** This tensor in another dtype or on another device; a new handle on the same tensor when neither changes. */
    to(target: DType | Device | Tensor | ToOptions): Tensor;
    /**
     * Indexing as in PyTorch: `t.index(0, slice(1, 3), null, "...", mask)` is `t[0, 1:3, None, ..., mask]`. Slices may
     * be written as strings (`":"`, `"1:3"`, `"::2"`). Ints, slices, null and booleans give a view; tensors and arrays
     * of integers a copy.
     */
    index(...indices: Index[]): Tensor;
    /** `t[indices] = value`, in place; with `accumulate`, `+=` that counts repeated indices. Returns this tensor. */
    indexPut_(indices: readonly Index[], value: Tensor | number, accumulate?: boolean): this;
  }
}

/** Every operator by the name a user calls it: `logSoftmax`, or `quantized.add` outside ATen. */
const operators = new Map<string, Operator>();
for (const qualifiedName of binding.operatorNames()) {
  const [base] = qualifiedName.split(".") as [string];
  if (!base.startsWith("aten::")) continue;
  const name = camelCase(base.slice("aten::".length));
  const operator = operators.get(name);
  if (operator) operator.qualifiedNames.push(qualifiedName);
  else operators.set(name, { name, qualifiedNames: [qualifiedName] });
}

/** Every ATen operator as a function: `ops.softmax(x, -1)`, `ops._fusedAdamw_(…)`. */
export const ops = Object.create(null) as Ops;

const prototype = Tensor.prototype as unknown as Record<string, unknown>;

/** Private operators and those that take lists are functions only; `__and__` and its like are methods, as in Python. */
export function isMethod(name: string): boolean {
  return !name.startsWith("_") || name.startsWith("__");
}

for (const [name, operator] of operators) {
  (ops as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => invoke(operator, args);
  if (name in Tensor.prototype || !isMethod(name)) continue;
  // Array literals cost a third of growing the rest array by `this`; this is every op of every step.
  prototype[name] = function (this: Tensor, a?: unknown, b?: unknown, ...rest: unknown[]): unknown {
    switch (arguments.length) {
      case 0: return invoke(operator, [this]);
      case 1: return invoke(operator, [this, a]);
      case 2: return invoke(operator, [this, a, b]);
      default: return invoke(operator, [this, a, b, ...rest]);
    }
  };
}

const convert = op("aten::to.dtype_layout");

Object.assign(Tensor.prototype, {
  to(this: Tensor, target: DType | Device | Tensor | ToOptions): unknown {
    if (typeof target === "string" && !isDType(target) && !/^[a-z]+(:\d+)?$/.test(target))
      throw new TypeError(`Expected a dtype or device for 'to' but received ${describeValue(target)}; the dtypes are ${dtypes.join(", ")}`);
    const { dtype, device, copy = false, nonBlocking = false }: ToOptions =
      target instanceof Tensor ? { dtype: target.dtype, device: target.device }
      : typeof target !== "string" ? target
      : isDType(target) ? { dtype: target }
      : { device: target };
    if (dtype !== undefined && !isDType(dtype)) throw new TypeError(`Expected a dtype for 'dtype' but received ${describeValue(dtype)}`);
    return convert(this, { dtype: dtype ?? this.dtype, device: device ?? this.device, copy, nonBlocking });
  },
  index(this: Tensor, ...indices: Index[]): Tensor {
    return index(this, indices);
  },
  indexPut_(this: Tensor, indices: readonly Index[], value: Tensor | number, accumulate = false): Tensor {
    return indexPut_(this, indices, value, accumulate);
  },
  toString(this: Tensor): string {
    return inspectTensor(this);
  },
  [Symbol.for("nodejs.util.inspect.custom")](this: Tensor): string {
    return inspectTensor(this);
  },
});

/** An operator by its full name, in any namespace: `op("aten::add.Tensor")(a, b)`. */
export function op(qualifiedName: string): (...args: unknown[]) => unknown {
  if (binding.findOperator(qualifiedName) === -1)
    throw new TypeError(`Expected an operator's name such as "aten::add.Tensor" for 'op' but received ${describeValue(qualifiedName)}`);
  const operator: Operator = { name: qualifiedName, qualifiedNames: [qualifiedName] };
  return (...args) => invoke(operator, args);
}

/** Whether this libtorch has an operator: `"aten::rms_norm"`, `"add.Tensor"`, or as in `ops`, `"rmsNorm"`. */
export function hasOp(name: string): boolean {
  if (operators.has(name)) return true;
  const qualified = name.includes("::") ? name : `aten::${name}`;
  return binding.findOperator(qualified) !== -1 || operators.has(camelCase(qualified.replace(/^aten::/, "")));
}
