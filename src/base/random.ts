/**
 * A small seeded generator for everything that is drawn in JavaScript: generated problems, corruptions, the order of
 * training rows. xoshiro128** (Blackman and Vigna, 2018), its state filled by splitmix32. Not for secrets.
 *
 * libtorch keeps its own generator; weights and dropout are drawn there (`manualSeed`).
 */

/** One round of splitmix32: a bijection of 32-bit integers that mixes well. */
function mix(value: number): number {
  let z = (value + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

const rotateLeft = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/**
 * A seeded stream of pseudo-random numbers, the same on every machine.
 *
 * ```ts
 * const random = new Random(7, "problems");
 * random.integer(2, 20);          // 2 … 20, both included
 * random.shuffled([1, 2, 3, 4]);
 * ```
 */
export class Random {
  private readonly state = new Int32Array(4);

  /**
   * @param seed a non-negative safe integer
   * @param stream a name; streams of one seed are independent, so that drawing more of one leaves the others alone
   */
  constructor(seed: number, stream = "") {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`Expected a non-negative integer for 'seed' but received ${seed}`);
    }
    let hash = mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) ^ 0x5bd1e995);
    for (const character of stream) hash = mix(hash ^ character.codePointAt(0)!);
    for (let i = 0; i < 4; i++) this.state[i] = hash = mix(hash + i);
  }

  /** The next 32 random bits, as an integer from 0 to 2^32 - 1. */
  bits(): number {
    const s = this.state as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** An integer from `low` to `high`, both included, every one equally likely. */
  integer(low: number, high: number): number {
    const span = high - low + 1;
    // Bits past the last whole multiple of span would favour small values: draw again.
    const limit = 2 ** 32 - (2 ** 32 % span);
    let bits = this.bits();
    while (bits >= limit) bits = this.bits();
    return low + (bits % span);
  }

  /** One element of a non-empty list. */
  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)]!;
  }

  /** A copy of the list in random order (Fisher and Yates). */
  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }
}
