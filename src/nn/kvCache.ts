/**
 * Keys and values of the tokens a model has seen, kept while it decodes. New ones are written in place into buffers
 * with room to spare, which grow by a quarter: a token costs what it adds, not a copy of all before it. Paged caches
 * and dropping tokens are left out. Scopes do not free a cache, `dispose()` does.
 */
import { cat, dispose, empty, isGradEnabled, keep, type Tensor, tidy } from "../torch";

/** One layer's buffers, `[batch, kvHeads, capacity, headDim]`, of which the first `length` tokens are held. */
interface Layer {
  keys: Tensor;
  values: Tensor;
  length: number;
}

/** Buffers are multiples of this many tokens. */
const BLOCK = 64;

export class KvCache {
  private readonly layers: Layer[] = [];

  /** Tokens held. */
  get length(): number {
    return this.layers[0]?.length ?? 0;
  }

  /**
   * Adds one layer's new keys and values, `[batch, kvHeads, new, headDim]`, and returns all of them, to be read before
   * the next call. No gradient flows into what was held before.
   */
  append(layer: number, keys: Tensor, values: Tensor): [keys: Tensor, values: Tensor] {
    const held = this.layers[layer];
    const added = keys.size(2);
    if (!held) {
      this.layers[layer] = { keys: keep(keys.detach()), values: keep(values.detach()), length: added };
      return [keys, values];
    }
    const { length } = held;
    const all = (buffer: Tensor, count: number) => buffer.narrow(2, 0, count);
    if (isGradEnabled()) {
      // Autograd may save what is returned: nothing is written into it later.
      const joined: [Tensor, Tensor] = [cat([all(held.keys, length), keys], 2), cat([all(held.values, length), values], 2)];
      this.replace(held, joined[0].detach(), joined[1].detach());
      held.length += added;
      return joined;
    }
    if (length + added > held.keys.size(2))
      this.replace(held, enlarged(held.keys, length, added), enlarged(held.values, length, added));
    held.keys.narrow(2, length, added).copy_(keys);
    held.values.narrow(2, length, added).copy_(values);
    held.length += added;
    return [all(held.keys, held.length), all(held.values, held.length)];
  }

  dispose(): void {
    dispose(this.layers);
    this.layers.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private replace(layer: Layer, keys: Tensor, values: Tensor): void {
    dispose([layer.keys, layer.values]);
    layer.keys = keep(keys);
    layer.values = keep(values);
  }
}

/** A copy of the first `length` tokens with room for `added` and a quarter more. */
function enlarged(buffer: Tensor, length: number, added: number): Tensor {
  const capacity = BLOCK * Math.ceil(((length + added) * 1.25) / BLOCK);
  const [batch, heads, , headDim] = buffer.shape as [number, number, number, number];
  return tidy(() => {
    const larger = empty([batch, heads, capacity, headDim], { dtype: buffer.dtype, device: buffer.device });
    larger.narrow(2, 0, length).copy_(buffer.narrow(2, 0, length));
    return larger;
  });
}
