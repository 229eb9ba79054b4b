/**
 * Python's `random.Random` as far as evaluation needs it: the harness draws few-shot examples with it, and the same
 * examples are wanted here. Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded by an integer as CPython
 * does (`init_by_array`), and `sample` and `shuffle` of CPython 3.11 and later. Seeds are below 2^32.
 */
const SIZE = 624;
const SHIFT = 397;

/**
 * ```ts
 * new PythonRandom(1234).sample([...Array(30).keys()], 3); // random.Random(1234).sample(range(30), 3)
 * ```
 */
export class PythonRandom {
  private readonly state = new Uint32Array(SIZE);
  private at = SIZE;

  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0 || seed >= 2 ** 32)
      throw new RangeError(`Expected an integer from 0 to ${2 ** 32 - 1} for 'seed' but received ${seed}`);
    const { state } = this;
    state[0] = 19650218;
    for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
    // init_by_array with the key [seed]
    let i = 1;
    const step = (factor: number, add: number): void => {
      state[i] = (state[i]! ^ Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), factor)) + add;
      if (++i < SIZE) return;
      state[0] = state[SIZE - 1]!;
      i = 1;
    };
    for (let k = 0; k < SIZE; k++) step(1664525, seed);
    for (let k = 1; k < SIZE; k++) step(1566083941, -i);
    state[0] = 0x80000000;
  }

  /** `getrandbits(bits)`, for 1 to 32 bits. */
  bits(bits: number): number {
    if (this.at === SIZE) this.refill();
    let y = this.state[this.at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> (32 - bits);
  }

  /** `sample(items, count)`: without replacement, in the order drawn. */
  sample<T>(items: readonly T[], count: number): T[] {
    const { length } = items;
    if (count > length) throw new RangeError(`Expected at most ${length} for 'count' but received ${count}`);
    // CPython takes a copy of the list where that is smaller than the set of what is drawn.
    const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
    if (length <= setSize) {
      const pool = [...items];
      return Array.from({ length: count }, (_, i) => {
        const j = this.below(length - i);
        const drawn = pool[j]!;
        pool[j] = pool[length - i - 1]!;
        return drawn;
      });
    }
    const taken = new Set<number>();
    while (taken.size < count) taken.add(this.below(length));
    return Array.from(taken, (j) => items[j]!);
  }

  /** `shuffle(items)`, of a copy. */
  shuffled<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }

  /** An integer from 0 to `limit` - 1. */
  private below(limit: number): number {
    const bits = 32 - Math.clz32(limit);
    let value = this.bits(bits);
    while (value >= limit) value = this.bits(bits);
    return value;
  }

  private refill(): void {
    const { state } = this;
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      state[i] = state[(i + SHIFT) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
}
