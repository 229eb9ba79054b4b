/**
 * The base of every layer and model. A field that is a parameter, a buffer, a Module or an array of them is registered
 * by being a field; anything else (sizes, settings, `#private` fields) is not.
 *
 * Names are the path of fields in Hugging Face's snake_case: `layers[0].selfAttn.qProj.weight` is
 * `layers.0.self_attn.q_proj.weight`. Hooks and state-dict versioning of PyTorch's Module are left out.
 */

import { snakeCase } from "../base/names";
import { problemLines } from "../base/problems";
import { received } from "../base/values";
import { type Device, type DType, isFloatingPoint, noGrad, ops, Tensor, tidy } from "../torch";
import { conversionOf } from "../torch/tensor";
import { roleOf } from "./parameter";
import { denseValue, ParameterSlot } from "./parameterSlot";

/** Tensors by name, as a checkpoint holds them. */
export type StateDict = Record<string, Tensor>;

type Child = [field: string, key: string, value: Tensor | Module];

/**
 * ```ts
 * class Probe extends Module {
 *   readonly norm = new RmsNorm(64);
 *   readonly head = new Linear(64, 2);
 *   forward(x: Tensor): Tensor {
 *     return this.head.forward(this.norm.forward(x));
 *   }
 * }
 * const probe = new Probe();
 * [...probe.namedParameters()].map(([name]) => name); // ["norm.weight", "head.weight", "head.bias"]
 * ```
 */
export abstract class Module {
  /** Whether dropout is active; set it with `train()` and `eval()`. */
  training = true;
  #slots: Map<string, ParameterSlot> | undefined;

  /** This module and all below it, each once, with its name ("" for this one). */
  *namedModules(): Generator<[name: string, module: Module]> {
    yield* unique(walk(this, ""));
  }

  *modules(): Generator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** Every parameter once, frozen ones included, under its first name. */
  *namedParameters(): Generator<[name: string, parameter: Tensor]> {
    yield* unique(this.namedTensors("parameter"));
  }

  /** What an optimizer takes. */
  *parameters(): Generator<Tensor> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** Every buffer once, also those that stay out of the state dict. */
  *namedBuffers(): Generator<[name: string, buffer: Tensor]> {
    yield* unique(this.namedTensors("buffer"));
    yield* unique(this.namedTensors("transient buffer"));
  }

  /** Switches dropout on (or off) here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Freezes (`false`) or unfreezes all parameters. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** Drops all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /**
   * Moves parameters and buffers to a device, and converts floating-point parameters to a floating-point dtype; buffers
   * are constants and keep their dtype. Works in place, so existing optimizers keep referring to the same parameters.
   *
   * ```ts
   * model.to("cuda");
   * model.to("cuda", "bfloat16");
   * model.to({ dtype: "float64", device: "cpu" });
   * ```
   */
  to(target: DType | Device | { dtype?: DType; device?: Device }): this;
  to(device: Device, dtype: DType): this;
  to(target: unknown, second?: DType): this {
    const { dtype, device } = conversionOf(target, second, ["dtype", "device"]);
    if (dtype !== undefined && !isFloatingPoint(dtype))
      throw new TypeError(`Expected a floating-point dtype for a module's 'to' but received '${dtype}'`);
    tidy(() => {
      for (const [, parameter] of this.namedParameters()) {
        const { grad } = parameter;
        parameter.grad = null; // its dtype and device are checked against the tensor's
        const options = { device, dtype: parameter.isFloatingPoint() ? dtype : undefined };
        replaceData(parameter, options);
        if (grad) parameter.grad = grad.to(options);
      }
      for (const [, buffer] of this.namedBuffers()) replaceData(buffer, { device });
    });
    return this;
  }

  /** Parameters and buffers by name, each a detached alias: writing into one writes into the module. */
  stateDict(): StateDict {
    return Object.fromEntries(this.state().map(([name, tensor]) => [name, tensor.detach()]));
  }

  /**
   * Copies values in, converting to each tensor's dtype and device. Nothing is written unless everything fits: a wrong
   * shape is an error, as are missing and unexpected names when `strict`; otherwise those are returned.
   */
  loadStateDict(dict: StateDict, { strict = true } = {}): { missing: string[]; unexpected: string[] } {
    const own = new Map(this.state());
    const missing = [...own.keys()].filter((name) => !Object.hasOwn(dict, name));
    const unexpected = Object.keys(dict).filter((name) => !own.has(name));
    const misshapen = [...own].filter(([name, { shape }]) => Object.hasOwn(dict, name) && `${dict[name]!.shape}` !== `${shape}`);

    const problems = misshapen.map(
      ([name, { shape }]) => `Expected shape [${shape.join(", ")}] for '${name}' but received [${dict[name]!.shape.join(", ")}]`,
    );
    if (strict) {
      problems.push(...missing.map((name) => `Expected a tensor for '${name}' but received none`));
      problems.push(...unexpected.map((name) => `Expected no '${name}': ${this.constructor.name} has no such tensor`));
    }
    if (problems.length > 0) {
      const hint = strict && misshapen.length < problems.length ? "\n  { strict: false } leaves out names that do not match" : "";
      throw new RangeError(`loadStateDict:${problemLines(problems)}${hint}`);
    }
    noGrad(() => {
      for (const [name, tensor] of own) if (Object.hasOwn(dict, name)) tensor.copy_(dict[name]!);
    });
    return { missing, unexpected };
  }

  /** Puts another module in a descendant's place wherever `replace` returns one; what it returns is not entered. */
  replaceModules(replace: (name: string, module: Module) => Module, prefix = ""): void {
    for (const [field, key, child] of this.children()) {
      if (!(child instanceof Module)) continue;
      const name = join(prefix, key);
      const substitute = replace(name, child);
      if (substitute === child) child.replaceModules(replace, name);
      else this.setChild(field, substitute);
    }
  }

  /** Frees parameters and buffers. Their autograd graph lives on until its last tensor is gone. */
  dispose(): void {
    for (const [, , child] of this.children()) child.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The part a field adds to names. "" adds nothing: a wrapper's inner layer can keep the name it had. */
  protected keyOf(field: string): string {
    return snakeCase(field);
  }

  /** @internal The registered fields; an array's elements are fields `name.index`. */
  *children(): Generator<Child> {
    for (const [field, value] of Object.entries(this) as [string, unknown][]) {
      if (isChild(value)) yield [field, this.keyOf(field), value];
      if (!Array.isArray(value)) continue;
      for (const [i, item] of value.entries()) if (isChild(item)) yield [`${field}.${i}`, `${this.keyOf(field)}.${i}`, item];
    }
  }

  /** @internal Puts a module or tensor into a field, or into an element of an array (`name.index`). */
  setChild(field: string, child: Module | Tensor): void {
    const [name, index] = field.split(".") as [string, string | undefined];
    const owner = this as unknown as Record<string, typeof child & Record<string, typeof child>>;
    if (index === undefined) Object.assign(owner, { [name]: child });
    else owner[name]![index] = child;
  }

  /** @internal The slot of the parameter in a field: the same one for all that put something into it. */
  parameterSlot(field: string): ParameterSlot {
    const slots = (this.#slots ??= new Map<string, ParameterSlot>());
    const known = slots.get(field);
    if (known) return known;
    const tensor = [...this.children()].find(([each]) => each === field)?.[2];
    if (!(tensor instanceof Tensor)) throw new TypeError(`Expected a parameter in '${field}' but received ${received(tensor)}`);
    const slot = new ParameterSlot(tensor, (value) => this.setChild(field, denseValue(value)));
    slots.set(field, slot);
    return slot;
  }

  private state(): [name: string, tensor: Tensor][] {
    return [...this.namedTensors("parameter"), ...this.namedTensors("buffer")];
  }

  private *namedTensors(role: ReturnType<typeof roleOf>): Generator<[string, Tensor]> {
    for (const [name, tensor] of walkTensors(this)) if (roleOf(tensor) === role) yield [name, tensor];
  }
}

function isChild(value: unknown): value is Module | Tensor {
  return value instanceof Module || (value instanceof Tensor && roleOf(value) !== undefined);
}

function* walk(module: Module, name: string): Generator<[string, Module]> {
  yield [name, module];
  for (const [, key, child] of module.children()) if (child instanceof Module) yield* walk(child, join(name, key));
}

function* walkTensors(root: Module): Generator<[string, Tensor]> {
  for (const [name, module] of walk(root, ""))
    for (const [, key, child] of module.children()) if (child instanceof Tensor) yield [join(name, key), child];
}

/** Entries whose value has not been seen yet. */
function* unique<T>(entries: Iterable<[string, T]>): Generator<[string, T]> {
  const seen = new Set<T>();
  for (const entry of entries) {
    if (seen.has(entry[1])) continue;
    seen.add(entry[1]);
    yield entry;
  }
}

function join(prefix: string, key: string): string {
  return prefix && key ? `${prefix}.${key}` : prefix || key;
}

function replaceData(tensor: Tensor, options: { dtype?: DType; device?: Device }): void {
  ops.setData(tensor, tensor.detach().to(options));
}
