import { describe, expect, test } from "vitest";
import { KvCache } from "../../src/nn";
import { arange, cat, memory, noGrad, ones, type Tensor, tidy } from "../../src/torch";
import "../setup/leaks";

/** Keys or values of `count` tokens from the `from`-th on, `[batch 2, heads 1, count, dim 2]`, all different. */
const some = (from: number, count: number, sign = 1): Tensor =>
  tidy(() => {
    const tokens = arange(from, from + count, { dtype: "float32" }).view([1, 1, count, 1]);
    return tokens.add(arange(4, { dtype: "float32" }).view([2, 1, 1, 2]).mul(1000)).mul(sign);
  });

describe("what is appended comes back, in order", () => {
  test.each([
    { sizes: [5, 1, 1, 1] },
    { sizes: [1, 62, 1, 1, 1] }, // over the end of the first buffer
    { sizes: [70, 90, 1, 200, 1] },
    { sizes: Array<number>(300).fill(1) },
  ])("$sizes.length times", ({ sizes }) => {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(() =>
      noGrad(() => {
        using cache = new KvCache();
        for (const size of sizes)
          tidy(() => {
            const seen = cache.length;
            cache.append(0, some(seen, size), some(seen, size, -1));
            const [keys, values] = cache.append(1, some(seen, size, 2), some(seen, size, -2));
            if (seen + size < total) return;
            expect(keys.toList()).toEqual(some(0, total, 2).toList());
            expect(values.toList()).toEqual(some(0, total, -2).toList());
          });
        expect(cache.length).toBe(total);
      }),
    ).toLeakNothing();
  });
});

test("a token is written in place: no tensor is added and no memory, until the room is used up", () => {
  noGrad(() => {
    using cache = new KvCache();
    const append = (count: number) => tidy(() => void cache.append(0, some(cache.length, count), some(0, count)));
    append(10);
    append(1); // makes room
    const before = memory();
    for (let i = 0; i < 50; i++) append(1);
    const after = memory();
    expect([after.tensors, after.live]).toEqual([before.tensors, before.live]);
  });
});

test("with gradients on, what came back stays as it was, and its own gradient flows", () => {
  expect(() => {
    using cache = new KvCache();
    const keys = some(0, 2).requiresGrad_();
    const [first] = cache.append(0, keys, some(0, 2));
    const more = some(2, 1).requiresGrad_();
    const [second] = cache.append(0, more, some(2, 1));
    cache.append(0, some(3, 1), some(3, 1));
    cat([first, second.mul(second)], 2)
      .sum()
      .backward();
    expect(keys.grad!.toList()).toEqual(ones([2, 1, 2, 2]).toList()); // through `first` alone
    expect(more.grad!.toList()).toEqual(more.detach().mul(2).toList());
  }).toLeakNothing();
});
