/**
 * Weights of the model that an adapter trains whole: PEFT's `modules_to_save` and trained biases. A copy stands in the
 * module's field in place of the model's own, under its name, while that adapter acts; the others are kept here. Thus
 * the model needs no wrappers, and a head that is the embedding goes on being it.
 *
 * Copies have the dtype of the model's own, as in PEFT.
 */
import { type Tensor, tidy } from "../../torch";
import { DEFAULT_ADAPTER } from "./lora";
import { Module } from "../module";
import { buffer, parameter } from "../parameter";

/** Where a tensor stands. */
export interface TensorPlace {
  /** Its name in the model. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly module: Module;
  readonly field: string;
}

/** One weight: the model's own, and the copies of the adapters that train it. */
class WholeTensor {
  private readonly copies = new Map<string, Tensor>();

  /** The model's own. */
  private readonly own: Tensor;
  private standing: Tensor;

  constructor(private readonly place: TensorPlace) {
    this.own = this.standing = place.tensor;
  }

  get unused(): boolean {
    return this.copies.size === 0;
  }

  get(adapter: string): Tensor | undefined {
    return this.copies.get(adapter);
  }

  /** Adds an adapter's copy of these values, the model's own when left out. */
  add(adapter: string, values = this.own): Tensor {
    const copy = tidy(() => values.detach().clone());
    this.copies.set(adapter, copy);
    return hidden(copy);
  }

  remove(adapter: string): void {
    const copy = this.copies.get(adapter);
    if (copy === this.standing) this.show(null);
    copy?.dispose();
    this.copies.delete(adapter);
  }

  /** The adapter's copy becomes the model's own weight; the other copies go. */
  settle(adapter: string): void {
    this.show(adapter);
    for (const tensor of this.aside()) tensor.dispose();
    this.copies.clear();
  }

  /** Puts the adapter's copy in the field, or the model's own where the adapter has none. */
  show(adapter: string | null): void {
    const next = (adapter === null ? undefined : this.copies.get(adapter)) ?? this.own;
    if (next === this.standing) return;
    hidden(this.standing);
    const { module, field } = this.place;
    Object.assign(module, { [field]: parameter(next, { requiresGrad: next.requiresGrad }) });
    this.standing = next;
  }

  /** What does not stand in the field. */
  *aside(): Generator<Tensor> {
    for (const tensor of [this.own, ...this.copies.values()]) if (tensor !== this.standing) yield tensor;
  }
}

/** The weights that a model's adapters train whole: a child of the model, so that what is aside moves with it. */
export class WholeTensors extends Module {
  readonly #tensors = new Map<string, WholeTensor>();

  /** Gives an adapter copies of these; those of the default one are trained. */
  add(adapter: string, places: readonly TensorPlace[]): void {
    for (const place of places) {
      const tensor = this.#tensors.get(place.name) ?? new WholeTensor(place);
      this.#tensors.set(place.name, tensor);
      const copy = tensor.add(adapter);
      if (adapter === DEFAULT_ADAPTER) {
        copy.requiresGrad = true;
        tensor.show(adapter);
      }
    }
  }

  /** A frozen adapter with the values that another has now. */
  copy(from: string, to: string): void {
    for (const tensor of this.#tensors.values()) {
      const values = tensor.get(from);
      if (values) tensor.add(to, values);
    }
  }

  /** The copies of an adapter, by the names of the weights they stand for. */
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
      for (const [i, aside] of [...tensor.aside()].entries()) yield ["", `${name}.${i}`, aside];
  }
}

/** Moves with the model, but is none of its weights. */
function hidden(tensor: Tensor): Tensor {
  return buffer(tensor, { persistent: false });
}
