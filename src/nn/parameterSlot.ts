/**
 * A parameter's place in its layer. The layer's own parameter is in it at first; another may stand in for a while: an
 * adapter's copy (`modules_to_save`), a merged weight, one in another form. What is in the slot is the layer's
 * parameter: it is used, listed, trained and saved. What is not is left out of all of these.
 */
import { dispose, keep, noGrad, Tensor, tidy } from "../torch";
import { bringBack, parameter, setAside } from "./parameter";
import type { Weight } from "./weights/weight";

/** What a slot holds: a tensor, or the weight of a linear layer that is not one tensor. */
export type SlotValue = Tensor | Weight;

export class ParameterSlot {
  private current: SlotValue;
  /** What `overwrite` leaves for `restore`: the values before, or the dense tensor that it put in the slot. */
  private valuesBefore: Tensor | undefined;
  private denseStandIn: Tensor | undefined;

  /** `put` makes the layer use a value. */
  constructor(
    private own: SlotValue,
    private readonly put: (value: SlotValue) => void,
  ) {
    this.current = own;
  }

  /** What is in the slot. */
  get value(): SlotValue {
    return this.current;
  }

  /** The layer's own, also while another stands in for it. */
  get original(): SlotValue {
    return this.own;
  }

  /** Puts `next` in the place of what is there. The caller owns what is out of the slot. */
  replace(next: SlotValue): void {
    if (next === this.current) return;
    for (const tensor of tensorsOf(this.current)) setAside(tensor);
    for (const tensor of tensorsOf(next)) bringBack(tensor);
    this.put(next);
    this.current = next;
  }

  /** Puts the layer's own back, with the values it had before `overwrite`. */
  restore(): void {
    const { own, valuesBefore } = this;
    this.replace(own);
    if (valuesBefore) noGrad(() => (own as Tensor).copy_(valuesBefore));
    dispose([valuesBefore, this.denseStandIn]);
    this.valuesBefore = this.denseStandIn = undefined;
  }

  /** Makes what is in the slot the layer's own, for good, and frees what it replaces. */
  settle(): void {
    if (this.current !== this.own) dispose(tensorsOf(this.own));
    this.own = this.current;
    this.valuesBefore?.dispose();
    this.valuesBefore = this.denseStandIn = undefined;
  }

  /**
   * Gives the layer other values, rounded to its dtype, until `restore` or, with `forGood`, until the end. A tensor is
   * written in place; a weight in another form may not be able to hold them, so a dense one stands in for it.
   */
  overwrite(values: Tensor, { forGood = false } = {}): void {
    const { current } = this;
    if (current instanceof Tensor) {
      if (!forGood) this.valuesBefore = keep(tidy(() => current.detach().clone()));
      noGrad(() => current.copy_(values));
      return;
    }
    const rounded = tidy(() => values.detach().to({ dtype: current.dtype }).clone());
    this.denseStandIn = parameter(rounded, { requiresGrad: false });
    this.replace(this.denseStandIn);
    if (forGood) this.settle();
  }
}

/** The tensors that a value is stored in. */
export function tensorsOf(value: SlotValue): Tensor[] {
  return value instanceof Tensor ? [value] : Array.from(value.tensors(), ([, tensor]) => tensor);
}

/** The values as one tensor, which is not to be written to. */
export function denseValue(value: SlotValue): Tensor {
  return value instanceof Tensor ? value : value.dense();
}
