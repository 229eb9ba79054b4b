/** Every ATen operator as a function. */
import { receivedInCode } from "../base/values";
import { binding } from "../native/binding";
import { invoke } from "./operators";
import type { Ops } from "./ops.generated";
import { atenOperators, installedOnUse, jsName, type Operator } from "./schemas";
import type { GeneratorHandle } from "./scope";
import { Tensor } from "./tensor";

/** Every ATen operator as a function: `ops.softmax(x, -1)`, `ops._fusedAdamw_(…)`. */
export const ops = Object.create(null) as Ops<Tensor, GeneratorHandle>;

installedOnUse(ops, () => {
  const functions: Record<string, unknown> = {};
  for (const [name, operator] of atenOperators()) functions[name] = (...args: unknown[]) => invoke(operator, args, Tensor);
  Object.assign(Object.setPrototypeOf(ops, null) as object, functions);
});

/** An operator by its full name, in any namespace: `op("aten::add.Tensor")(a, b)`. */
export function op(qualifiedName: string): (...args: unknown[]) => unknown {
  if (typeof qualifiedName !== "string" || binding.findOperator(qualifiedName) === -1)
    throw new TypeError(
      `Expected an operator's name such as "aten::add.Tensor" for 'op' but received ${receivedInCode(qualifiedName)}`,
    );
  const operator: Operator = { name: qualifiedName, qualifiedNames: [qualifiedName] };
  return (...args) => invoke(operator, args, Tensor);
}

/** Whether this libtorch has an operator: `"aten::rms_norm"`, `"add.Tensor"`, or as in `ops`, `"rmsNorm"`. */
export function hasOp(name: string): boolean {
  const operators = atenOperators();
  if (operators.has(name)) return true;
  const qualified = name.includes("::") ? name : `aten::${name}`;
  return binding.findOperator(qualified) !== -1 || operators.has(jsName(qualified.replace(/^aten::/, "")));
}

/** Joins tensors along an existing dimension; their other sizes agree. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.cat(tensors, dim);
}

/** Joins tensors of one shape along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.stack(tensors, dim);
}
