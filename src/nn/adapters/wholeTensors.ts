/**
 * Weights of the model that an adapter trains whole: PEFT's `modules_to_save` and trained biases. While that adapter
 * acts, its copy is in the weight's slot, under its name; the copies of other adapters, and the model's own weight, are
 * kept here. Thus the model needs no wrappers, and a tied head stays tied.
 *
 * Copies have the dtype of the model's own, as in PEFT.
 */
import { type Tensor, tidy } from "../../torch";
import { Module } from "../module";
import { parameter, setAside } from "../parameter";
import { denseValue, type ParameterSlot, tensorsOf } from "../parameterSlot";
import { DEFAULT_ADAPTER } from "./lora";

/** A weight of a model. */
export interface WeightPlace {
  /** Its name in the model. */
  readonly name: string;
  readonly slot: ParameterSlot;
}

/** One weight: the model's own, and the copies of the adapters that train it. */
class WholeTensor {
  private readonly copies = new Map<string, Tensor>();

  constructor(private readonly slot: ParameterSlot) {}

  get unused(): boolean {
    return this.copies.size === 0;
  }

  get(adapter: string): Tensor | undefined {
    return this.copies.get(adapter);
  }

  /** Adds an adapter's copy of these values, of the model's own when left out. The default adapter's is trained. */
  add(adapter: string, values = denseValue(this.slot.original)): void {
    const copy = tidy(() => values.detach().clone());
    this.copies.set(adapter, setAside(parameter(copy, { requiresGrad: adapter === DEFAULT_ADAPTER })));
  }

  remove(adapter: string): void {
    const copy = this.copies.get(adapter);
    if (copy === this.slot.value) this.slot.restore();
    copy?.dispose();
    this.copies.delete(adapter);
  }

  /** The adapter's copy becomes the model's own weight; the other copies go. */
  settle(adapter: string): void {
    this.show(adapter);
    this.slot.settle();
    for (const copy of this.copies.values()) if (copy !== this.slot.value) copy.dispose();
    this.copies.clear();
  }

  /** Puts the adapter's copy in the slot, or the model's own where the adapter has none. */
  show(adapter: string | null): void {
    const copy = adapter === null ? undefined : this.copies.get(adapter);
    if (copy) this.slot.replace(copy);
    else this.slot.restore();
  }

  /** What is not in the slot. */
  aside(): Tensor[] {
    const { value, original } = this.slot;
    return [original, ...this.copies.values()].filter((each) => each !== value).flatMap(tensorsOf);
  }
}

/** The weights that a model's adapters train whole: a child of the model, so that what is aside moves with it. */
export class WholeTensors extends Module {
  readonly #tensors = new Map<string, WholeTensor>();

  /** Gives an adapter copies of these, and lets those of the default one act. */
  add(adapter: string, places: readonly WeightPlace[]): void {
    for (const { name, slot } of places) {
      const tensor = this.#tensors.get(name) ?? new WholeTensor(slot);
      this.#tensors.set(name, tensor);
      tensor.add(adapter);
      if (adapter === DEFAULT_ADAPTER) tensor.show(adapter);
    }
  }

  /** A frozen adapter with the values that another has now. */
  copy(from: string, to: string): void {
    for (const tensor of this.#tensors.values()) {
      const values = tensor.get(from);
      if (values) tensor.add(to, values);
    }
  }

  /** The copies of an adapter, by the names of the weights they replace. */
  of(adapter: string): [name: string, tensor: Tensor][] {
    return [...this.#tensors].flatMap(([name, tensor]) => {
      const copy = tensor.get(adapter);
      return copy ? [[name, copy] as [string, Tensor]] : [];
    });
  }

  show(adapter: string | null): void {
    for (const tensor of this.#tensors.values()) tensor.show(adapter);
  }

  remove(adapter: string): void {
    for (const [name, tensor] of this.#tensors) {
      tensor.remove(adapter);
      if (tensor.unused) this.#tensors.delete(name);
    }
  }

  settle(adapter: string): void {
    for (const tensor of this.#tensors.values()) tensor.settle(adapter);
    this.#tensors.clear();
  }

  /** @internal */
  override *children(): ReturnType<Module["children"]> {
    for (const [name, tensor] of this.#tensors)
      for (const [i, aside] of tensor.aside().entries()) yield ["", `${name}.${i}`, aside];
  }
}
