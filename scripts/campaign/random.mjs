/** Random choices that a seed and a path of names determine, so that every input can be made again. */
import { createHash } from "node:crypto";

export class Random {
  #state;

  /** @param path what the choices are for: `new Random(seed, "gguf", 17)` */
  constructor(...path) {
    const digest = createHash("sha256").update(path.join("\0")).digest();
    this.#state = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at));
  }

  /** 32 random bits (sfc32). */
  #next() {
    let [a, b, c, d] = this.#state;
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    this.#state = [a, b, c, d];
    return sum >>> 0;
  }

  /** From 0 up to, but not including, 1. */
  number() {
    return this.#next() / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low, high) {
    return low + Math.floor(this.number() * (high - low + 1));
  }

  chance(probability) {
    return this.number() < probability;
  }

  of(list) {
    return list[this.integer(0, list.length - 1)];
  }

  /** One of `[weight, value]` pairs. */
  weighted(pairs) {
    let left = this.number() * pairs.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of pairs) if ((left -= weight) < 0) return value;
    return pairs.at(-1)[1];
  }

  bytes(count) {
    return Buffer.from(Array.from({ length: count }, () => this.integer(0, 255)));
  }
}
