import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Linear, Module, parameter } from "../../src/nn";
import {
  autograd,
  cat,
  DisposedTensorError,
  dispose,
  keep,
  memory,
  noGrad,
  ones,
  randn,
  type Tensor,
  TensorScope,
  tensor,
  tidy,
  zeros,
} from "../../src/torch";
import { reportOf } from "../setup/program";

let before: number;

beforeEach(() => {
  before = memory().tensors;
});

/** Live tensors made since the test began. */
function made(): number {
  return memory().tensors - before;
}

const alive = (t: Tensor): boolean => t.slot !== -1;

// What a test leaves outside all scopes is freed here, or one test's garbage is collected in the middle of the next.
const leftovers: Tensor[] = [];
const left = <T extends Tensor>(t: T): T => {
  leftovers.push(t);
  return t;
};
afterEach(() => {
  dispose(leftovers.splice(0));
  expect(made()).toBe(0);
});

describe("tidy", () => {
  test("frees everything but what is returned", () => {
    const result = left(tidy(() => ones([2]).add(1).mul(3)));
    expect(result.toList()).toEqual([6, 6]);
    expect(made()).toBe(1);
  });

  test("returns what is not a tensor as it is", () => {
    expect(tidy(() => ones([3]).sum().item())).toBe(3);
    expect(tidy(() => undefined)).toBeUndefined();
    expect(tidy(() => null)).toBeNull();
  });

  test("spares tensors in arrays, objects, Maps, Sets and modules, at any depth", () => {
    class Pair extends Module {
      readonly held = parameter(ones([1]));
      scratch = zeros([1]); // no parameter: only a field
    }
    const result = tidy(() => {
      ones([9]);
      return {
        list: [ones([1]), [ones([1]), { deep: ones([1]) }]],
        map: new Map([["key", ones([1])]]),
        byTensor: new Map([[ones([1]), ones([1])]]),
        set: new Set([ones([1])]),
        module: new Pair(),
        rest: [null, 7, "text", new Float32Array(2)],
      };
    });
    expect(made()).toBe(9);
    dispose(result);
    expect(made()).toBe(0);
  });

  test("ends at cycles in what is returned", () => {
    const node = tidy(() => {
      const self: { t: Tensor; self?: unknown } = { t: ones([1]) };
      self.self = self;
      return self;
    });
    expect(alive(left(node.t))).toBe(true);
  });

  test("leaves its inputs alone, returned or not", () => {
    const input = left(ones([2]));
    expect(tidy(() => input)).toBe(input);
    tidy(() => void input.add(1));
    tidy(() => tidy(() => input));
    expect(input.toList()).toEqual([1, 1]);
    expect(made()).toBe(1);
  });

  test("hands what it returns to the enclosing tidy", () => {
    let inner: Tensor | undefined;
    tidy(() => {
      inner = tidy(() => ones([2]).neg());
      expect(inner.toList()).toEqual([-1, -1]);
      expect(made()).toBe(1);
    });
    expect(alive(inner!)).toBe(false);
  });

  test("frees on an exception, and passes it on", () => {
    const failure = new Error("mine");
    expect(() =>
      tidy(() => {
        ones([2]);
        tidy(() => {
          ones([2]);
          throw failure;
        });
      }),
    ).toThrow(failure);
    expect(made()).toBe(0);
  });

  test("frees when a field of what is returned throws", () => {
    const bad = {
      get t(): Tensor {
        throw new Error("mine");
      },
    };
    expect(() => tidy(() => (ones([2]), bad))).toThrow("mine");
    expect(made()).toBe(0);
  });

  test("refuses a promise, and frees what was made", async () => {
    const refusal = /Expected a synchronous function for 'tidy' .* new TensorScope\(\)/;
    expect(() => tidy(async () => ones([2]))).toThrow(TypeError);
    expect(() => tidy(() => Promise.resolve(ones([2])))).toThrow(refusal);
    expect(() => tidy(() => ({ then: () => ones([1]) }))).toThrow(refusal);
    expect(made()).toBe(0);
    await turn();
  });

  test("does not let the refused promise end the process", async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", listener);
    const fails = async () => {
      const t = ones([2]);
      await null;
      t.add(1);
    };
    expect(() => tidy(fails)).toThrow(TypeError);
    expect(() => noGrad(async () => Promise.reject(new Error("mine")))).toThrow(TypeError);
    await turn();
    await turn();
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  });

  test("keeps gradients right when intermediates are freed before backward", () => {
    const x = left(tensor([3], { requiresGrad: true }));
    const loss = left(tidy(() => x.mul(x).mul(x).sum()));
    loss.backward();
    expect(left(x.grad!).toList()).toEqual([27]);
  });

  test("frees 100,000 operations' tensors", () => {
    const live = memory().live;
    tidy(() => {
      const x = ones([16]);
      for (let i = 0; i < 100_000; i++) x.add(1);
    });
    expect(made()).toBe(0);
    expect(memory().live).toBe(live);
  });
});

describe("keep", () => {
  test("takes a tensor out of all scopes, however deep", () => {
    const kept = left(tidy(() => tidy(() => tidy(() => void 0) ?? keep(ones([2])))));
    let hidden: Tensor | undefined;
    tidy(() => {
      tidy(() => {
        hidden = keep(ones([2]));
      });
      expect(alive(hidden!)).toBe(true);
    });
    expect(alive(kept)).toBe(true);
    expect(alive(left(hidden!))).toBe(true);
  });

  test("takes modules, arrays and Maps too, and returns what it is given", () => {
    const held = { a: [] as Tensor[], m: new Map<string, Tensor>() };
    tidy(() => {
      held.a.push(ones([1]), ones([1]));
      held.m.set("x", ones([1]));
      expect(keep(held)).toBe(held);
    });
    expect(made()).toBe(3);
    dispose(held);
  });

  test("is what a layer does with its parameters", () => {
    let layer: Linear | undefined;
    tidy(() => {
      layer = new Linear(2, 3);
    });
    expect(made()).toBe(2);
    layer!.dispose();
  });
});

describe("dispose", () => {
  test("is quiet the second time, and when the scope ends later", () => {
    const t = ones([2]);
    t.dispose();
    t.dispose();
    t[Symbol.dispose]();
    tidy(() => ones([2]).dispose());
    dispose([t, null, { t }]);
    expect(made()).toBe(0);
  });

  test("drops the handle and not what autograd holds", () => {
    const x = left(tensor([2], { requiresGrad: true }));
    const y = x.mul(x);
    const loss = left(tidy(() => y.mul(y).sum()));
    y.dispose();
    loss.backward();
    expect(left(x.grad!).item()).toBe(32);
  });

  test("does not free memory another handle shares", () => {
    const t = ones([2, 2]);
    const row = left(t.select(0, 0));
    t.dispose();
    expect(row.toList()).toEqual([1, 1]);
  });

  test("works by `using`", () => {
    {
      using t = ones([2]);
      expect(alive(t)).toBe(true);
    }
    expect(made()).toBe(0);
  });
});

describe("a disposed tensor", () => {
  const gone = ones([2]);
  gone.dispose();

  test.each<[string, () => unknown, RegExp]>([
    ["self of an operator", () => gone.add(1), /aten::add\.\w+: argument 'self'/],
    ["an operand", () => ones([2]).matmul(gone), /aten::matmul: argument 'other'/],
    ["an element of a list", () => cat([ones([2]), gone]), /aten::cat: argument 'tensors'/],
    ["shape", () => gone.shape, /^shape:/],
    ["item", () => gone.item(), /^item:/],
    ["toArray", () => gone.toArray(), /^toArray:/],
    ["toList", () => gone.toList(), /^shape:/],
    ["grad", () => gone.grad, /^grad:/],
    ["backward", () => gone.backward(), /^backward:/],
    ["an assigned gradient", () => (ones([2]).grad = gone), /^grad:/],
    ["autograd.grad", () => autograd.grad(gone, ones([2])), /^outputs:/],
  ])("names what it was used for: %s", (_, use, where) => {
    tidy(() => {
      expect(use).toThrow(DisposedTensorError);
      expect(use).toThrow(where);
      expect(use).toThrow(
        /has been disposed, by dispose\(\) or by the end of the scope .* return it from tidy\(\), or keep\(\) it/,
      );
    });
  });

  test("rejects an asynchronous read", async () => {
    await expect(gone.toArrayAsync()).rejects.toThrow(DisposedTensorError);
  });

  test("prints as what it is", () => {
    expect(String(gone)).toBe("tensor(disposed)");
  });
});

describe("TensorScope", () => {
  test("frees its block's tensors", () => {
    {
      using _ = new TensorScope();
      ones([2]).add(1);
      expect(made()).toBe(2);
    }
    expect(made()).toBe(0);
  });

  test("frees them on an exception", () => {
    expect(() => {
      using _ = new TensorScope();
      ones([2]);
      throw new Error("mine");
    }).toThrow("mine");
    expect(made()).toBe(0);
  });

  test("lets tensors escape to the enclosing scope, to the caller from the outermost", () => {
    let outside: Tensor;
    {
      using outer = new TensorScope();
      {
        using inner = new TensorScope();
        outside = inner.escape(outer.escape(ones([2])));
        inner.escape([ones([1])]);
      }
      expect(made()).toBe(2);
      outer.escape(outside);
    }
    expect(alive(left(outside))).toBe(true);
    expect(made()).toBe(1);
  });

  test("does not free what it did not create", () => {
    const t = left(ones([2]));
    {
      using scope = new TensorScope();
      scope.escape(t);
      t.add(1);
    }
    expect(alive(t)).toBe(true);
  });

  test("may be disposed twice, and out of order", () => {
    const outer = new TensorScope();
    const a = ones([1]);
    const inner = new TensorScope();
    const b = ones([1]);
    outer.dispose();
    expect([alive(a), alive(b)]).toEqual([false, true]);
    const c = ones([1]); // the inner one still listens
    inner.dispose();
    inner.dispose();
    outer.dispose();
    expect([alive(b), alive(c)]).toEqual([false, false]);
    expect(alive(left(ones([1])))).toBe(true); // nobody's
  });

  test("hands what escapes past an enclosing scope that has ended", () => {
    const outer = new TensorScope();
    const inner = new TensorScope();
    const t = left(ones([1]));
    outer.dispose();
    inner.escape(t);
    inner.dispose();
    expect(alive(t)).toBe(true);
  });

  test("may end inside a tidy it was opened around", () => {
    const scope = new TensorScope();
    tidy(() => {
      ones([1]);
      scope.dispose();
      ones([1]);
    });
    expect(made()).toBe(0);
    left(ones([1])); // belongs to nobody: not to the scope that has ended
    expect(made()).toBe(1);
  });

  test("may be opened inside a tidy and end after it", () => {
    const { scope, t } = tidy(() => {
      const scope = new TensorScope();
      const t = ones([1]);
      return { scope, t: scope.escape(t) };
    });
    left(t);
    expect(alive(left(scope.run(() => ones([1]))))).toBe(true);
    scope.dispose();
    expect(alive(t)).toBe(true);
    expect(made()).toBe(1);
  });

  test("runs functions as if in its block", () => {
    const scope = new TensorScope();
    const t = scope.run(() => tidy(() => ones([2]).add(1)));
    expect(t.toList()).toEqual([2, 2]);
    expect(() => scope.run(async () => ones([1]))).toThrow(/Expected a synchronous function for 'TensorScope.run'/);
    expect(() =>
      scope.run(() => {
        throw new Error("mine");
      }),
    ).toThrow("mine");
    scope.dispose();
    expect(made()).toBe(0);
    expect(() => scope.run(() => ones([1]))).toThrow(DisposedTensorError);
  });
});

describe("TensorScope in async functions", () => {
  test("frees what was made before an await and, through run, after it", async () => {
    async function step(): Promise<number> {
      using scope = new TensorScope();
      const a = ones([2]).add(1);
      await turn();
      const b = scope.run(() => a.mul(2));
      await null;
      return scope.run(() => b.sum().item());
    }
    expect(await step()).toBe(8);
    expect(made()).toBe(0);
  });

  test("never frees the tensors of another async function that waits at the same time", async () => {
    const log: boolean[] = [];
    async function work(first: number, later: number): Promise<number> {
      const own = tidy(() => ones([2]).mul(first)); // before the scope: not the other's either
      using scope = new TensorScope();
      const a = own.add(1);
      for (let i = 0; i < first; i++) await turn();
      const b = scope.run(() => a.add(1));
      for (let i = 0; i < later; i++) await null;
      const c = scope.run(() => b.add(own));
      log.push(alive(own), alive(a), alive(b));
      own.dispose();
      return scope.run(() => c.sum().item());
    }
    const results = await Promise.all([work(1, 5), work(2, 1), work(3, 3), work(1, 1)]);
    expect(results).toEqual([8, 12, 16, 8]);
    expect(log).not.toContain(false);
    expect(made()).toBe(0);
  });

  test("leaves the caller's tensors alone once it has awaited", async () => {
    async function pending(): Promise<void> {
      using _ = new TensorScope();
      ones([1]);
      await turn();
    }
    const promise = pending();
    const mine = left(ones([2]));
    const result = left(tidy(() => mine.add(1)));
    await promise;
    expect([alive(mine), alive(result)]).toEqual([true, true]);
    expect(made()).toBe(2);
  });

  test("leaves alone what another scope lets escape while it waits", async () => {
    async function holder(): Promise<void> {
      using _ = new TensorScope();
      for (let i = 0; i < 3; i++) await turn();
    }
    async function maker(): Promise<Tensor> {
      using scope = new TensorScope();
      const t = ones([2]);
      await turn();
      return scope.escape(t);
    }
    const held = holder();
    const t = left(await maker());
    await held;
    expect(alive(t)).toBe(true);
  });

  test("leaves alone the tensors of a callback that runs next", async () => {
    const opened = Promise.resolve().then(() => new TensorScope());
    const next = Promise.resolve().then(() => left(ones([1])));
    const [scope, t] = await Promise.all([opened, next]);
    scope.dispose();
    expect(alive(t)).toBe(true);
  });

  test("frees a synchronous block's tensors although it starts something asynchronous", async () => {
    const started: Promise<unknown>[] = [];
    {
      using _ = new TensorScope();
      ones([1]);
      started.push(ones([2]).toArrayAsync());
      ones([1]).add(1);
    }
    expect(made()).toBe(0);
    expect(await Promise.all(started)).toEqual([new Float32Array([1, 1])]);
  });

  test("stays open over an asynchronous read of its own tensors", async () => {
    using scope = new TensorScope();
    const t = randn([100]).to("bfloat16");
    const values = await t.toArrayAsync();
    expect(values).toEqual(scope.run(() => t.toArray()));
  });
});

interface Collection {
  dropped: { live: number; tensors: number };
  scoped: { live: number; tensors: number };
  kept: boolean;
  warnings: string[];
}

test("tensors outside all scopes are freed once nothing refers to them and the event loop turns", async () => {
  const { dropped, scoped, kept, warnings } = await reportOf<Collection>(new URL("programs/collection.ts", import.meta.url), {
    nodeOptions: ["--expose-gc"],
  });
  expect(dropped).toEqual({ live: 0, tensors: 0 });
  expect(scoped).toEqual({ live: 0, tensors: 0 });
  expect(kept).toBe(true);
  expect(warnings).toHaveLength(1); // for two runs of 120,000, and none for the three of 40,000 before
  expect(warnings[0]).toMatch(
    /^\d{6} tensors were left to garbage collection in one synchronous run.*tidy\(\), or use TensorScope$/,
  );
});

describe("memory", () => {
  test("counts handles, bytes and what is created outside scopes", () => {
    const start = memory();
    const t = left(ones([1000]));
    expect(memory().tensors - start.tensors).toBe(1);
    expect(memory().live - start.live).toBeGreaterThanOrEqual(4000);
    expect(memory().live - start.live).toBeLessThanOrEqual(4608); // rounded up by an eighth at most
    expect(memory().outsideScope - start.outsideScope).toBe(1);
    tidy(() => void ones([1000]));
    expect(memory().outsideScope - start.outsideScope).toBe(1);
    expect(memory().peak).toBeGreaterThanOrEqual(memory().live);
    t.dispose();
    expect(memory().live).toBe(start.live);
    expect(memory().cached).toBeGreaterThan(0);
  });

  test("counts a view's memory once", () => {
    const t = left(ones([1000]));
    const { live } = memory();
    left(t.view([10, 100]));
    expect(memory().live).toBe(live);
  });
});
