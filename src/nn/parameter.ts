/**
 * Tensors a module owns: parameters, which an optimizer may train, and buffers, which are constants that move with the
 * module. Both stay out of every scope, so a module built inside `tidy` outlives it; `Module.dispose()` frees them.
 */
import { type Device, type DType, empty, type Generator, keep, type Tensor } from "../torch";

type Role = "parameter" | "buffer" | "transient buffer";

const roles = new WeakMap<Tensor, Role>();

/** Those of tensors that are out of their place for now. */
const rolesInPlace = new WeakMap<Tensor, Role>();

/** What a Module's field is to it; undefined for a tensor that only happens to be there. */
export function roleOf(tensor: Tensor): Role | undefined {
  return roles.get(tensor);
}

/**
 * Makes a leaf tensor a parameter: assigned to a Module's field, it is trained, saved and moved with it.
 *
 * ```ts
 * readonly scale = parameter(ones([64]));
 * ```
 */
export function parameter(data: Tensor, { requiresGrad = true } = {}): Tensor {
  if (!data.isLeaf)
    throw new TypeError(`Expected a leaf tensor for 'data' but received a result of ${data.gradFn}; use data.detach()`);
  return own(data.requiresGrad_(requiresGrad), "parameter");
}

/** Makes a tensor a buffer. One that is not `persistent` can be computed anew and stays out of the state dict. */
export function buffer(data: Tensor, { persistent = true } = {}): Tensor {
  return own(data, persistent ? "buffer" : "transient buffer");
}

/** Makes a tensor a transient buffer until `bringBack`: it moves with the module that keeps it, and is none of its weights. */
export function setAside(tensor: Tensor): Tensor {
  const role = roles.get(tensor);
  if (role !== undefined && !rolesInPlace.has(tensor)) rolesInPlace.set(tensor, role);
  return own(tensor, "transient buffer");
}

/** Makes a tensor again what it was before `setAside`. */
export function bringBack(tensor: Tensor): void {
  const role = rolesInPlace.get(tensor);
  if (role !== undefined) roles.set(tensor, role);
  rolesInPlace.delete(tensor);
}

function own(tensor: Tensor, role: Role): Tensor {
  roles.set(tensor, role);
  return keep(tensor);
}

/** How a layer makes its parameters. */
export interface LayerOptions {
  dtype?: DType;
  device?: Device;
  /** Draws the first weights; the device's default generator when left out. */
  generator?: Generator;
  /** `false` leaves the weights as memory happens to be, for a module that is filled afterwards. */
  init?: boolean;
}

/** A new parameter; `fill` writes its first values in place unless `init` is false. */
export function newParameter(
  shape: readonly number[],
  { dtype, device, generator, init = true }: LayerOptions,
  fill: (tensor: Tensor, generator: Generator | undefined) => Tensor,
): Tensor {
  const data = empty(shape, { dtype, device });
  return parameter(init ? fill(data, generator) : data);
}
