/**
 * Keys and values of the tokens a model has seen, kept while it decodes. Grows by concatenation; preallocated and paged
 * caches are left out, and no gradient flows into what is held. Scopes do not free it, `dispose()` does.
 */
import { type Tensor, cat, dispose, keep } from "../torch";

export class KvCache {
  private readonly layers: [keys: Tensor, values: Tensor][] = [];

  /** Tokens held. */
  get length(): number {
    return this.layers[0]?.[0].size(2) ?? 0;
  }

  /** Adds one layer's new keys and values, `[batch, kvHeads, new, headDim]`, and returns all of them. */
  append(layer: number, keys: Tensor, values: Tensor): [keys: Tensor, values: Tensor] {
    const held = this.layers[layer];
    const all: [Tensor, Tensor] = held ? [cat([held[0], keys], 2), cat([held[1], values], 2)] : [keys, values];
    this.layers[layer] = keep([all[0].detach(), all[1].detach()]);
    dispose(held);
    return all;
  }

  dispose(): void {
    dispose(this.layers);
    this.layers.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
