/**
 * Installs every ATen operator as a method of `Tensor` and as a function of `ops`, from the running library's own
 * list; `ops.generated.ts` holds their types. Methods written by hand (`shape`, `to`, `index`, …) come first.
 */
import { binding } from "../native/binding";
import { type ToOptions, conversionOf } from "./conversion";
import { inspectTensor } from "./display";
import type { DType } from "./dtype";
import { type Index, index, indexPut_ } from "./indexing";
import { type Operator, type Scalar, camelCase, describeValue, invoke, invokeBinary, invokeUnary } from "./operators";
import type { Ops, TensorMethods } from "./ops.generated";
import { Handle } from "./scope";
import { type Device, Tensor } from "./tensor";

declare module "./tensor" {
  interface Tensor extends TensorMethods {
    /** This tensor in another dtype or on another device; a new handle on the same tensor when neither changes. */
    to<T extends DType>(dtype: T): Tensor<T>;
    to<T extends DType>(device: Device, dtype: T): Tensor<T>;
    to(target: Device | Tensor | ToOptions): Tensor;
    /**
     * Indexing as in PyTorch: `t.index(0, slice(1, 3), null, "...", mask)` is `t[0, 1:3, None, ..., mask]`. Slices may
     * be written as strings (`":"`, `"1:3"`, `"::2"`). Ints, slices, null and booleans give a view; tensors and arrays
     * of integers a copy.
     */
    index(...indices: Index[]): Tensor;
    /** This tensor where `condition` (bool) holds, else `other`. */
    where(condition: Tensor, other: Tensor | Scalar): Tensor;
    /** `t[indices] = value`, in place; with `accumulate`, `+=` that counts repeated indices. Returns this tensor. */
    indexPut_(indices: readonly Index[], value: Tensor | Scalar, accumulate?: boolean): this;
  }
}

/** ATen's operators by the name a user calls them: `logSoftmax`. */
const operators = new Map<string, Operator>();
for (const qualifiedName of binding.operatorNames()) {
  const [namespace, base] = qualifiedName.split(/::|\./) as [string, string];
  if (namespace !== "aten") continue;
  const name = camelCase(base);
  const operator = operators.get(name);
  if (operator) operator.qualifiedNames.push(qualifiedName);
  else operators.set(name, { name, qualifiedNames: [qualifiedName] });
}

/** Every ATen operator as a function: `ops.softmax(x, -1)`, `ops._fusedAdamw_(…)`. */
export const ops = Object.create(null) as Ops;

// Made apart and linked in at once: V8 makes a hidden class for each property added to a prototype in use.
const methods = Object.create(Handle.prototype) as Record<string, unknown>;

/** Private operators are functions only; `__and__` and its like are methods, as in Python. */
export function isMethod(name: string): boolean {
  return !name.startsWith("_") || name.startsWith("__");
}

for (const [name, operator] of operators) {
  (ops as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => invoke(operator, args);
  if (!isMethod(name)) continue;
  // Array literals cost a third of growing the rest array by `this`.
  methods[name] = function (this: Tensor, a?: unknown, b?: unknown, ...rest: unknown[]): unknown {
    switch (arguments.length) {
      case 0:
        return invokeUnary(operator, this);
      case 1:
        return invokeBinary(operator, this, a);
      case 2:
        return invoke(operator, [this, a, b]);
      default:
        return invoke(operator, [this, a, b, ...rest]);
    }
  };
}

Object.setPrototypeOf(Tensor.prototype, methods);

const convert = op("aten::to.dtype_layout");
Object.assign(Tensor.prototype, {
  to(this: Tensor, target: DType | Device | Tensor | ToOptions, second?: DType): unknown {
    const {
      dtype,
      device,
      copy = false,
      nonBlocking = false,
    } = conversionOf(target, second, ["dtype", "device", "copy", "nonBlocking"]);
    return convert(this, { dtype: dtype ?? this.dtype, device: device ?? this.device, copy, nonBlocking });
  },
  // ATen's first argument is the condition, and it calls that one self.
  where(this: Tensor, condition: Tensor, other: Tensor | Scalar): Tensor {
    return ops.where(condition, this, other as Tensor);
  },
  index(this: Tensor, ...indices: Index[]): Tensor {
    return index(this, indices);
  },
  indexPut_(this: Tensor, indices: readonly Index[], value: Tensor | Scalar, accumulate = false): Tensor {
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
  if (typeof qualifiedName !== "string" || binding.findOperator(qualifiedName) === -1)
    throw new TypeError(
      `Expected an operator's name such as "aten::add.Tensor" for 'op' but received ${describeValue(qualifiedName)}`,
    );
  const operator: Operator = { name: qualifiedName, qualifiedNames: [qualifiedName] };
  return (...args) => invoke(operator, args);
}

/** Whether this libtorch has an operator: `"aten::rms_norm"`, `"add.Tensor"`, or as in `ops`, `"rmsNorm"`. */
export function hasOp(name: string): boolean {
  if (operators.has(name)) return true;
  const qualified = name.includes("::") ? name : `aten::${name}`;
  return binding.findOperator(qualified) !== -1 || operators.has(camelCase(qualified.replace(/^aten::/, "")));
}
