import { describe, expect, test } from "vitest";
import { parameter } from "../../src/nn";
import { AdamW } from "../../src/optim";
import { memory, type Tensor, tensor, tidy, zeros } from "../../src/torch";
import { leakedBy } from "../parity/fixture";

const weight = (...values: number[]) => parameter(tensor(values));

function backward(...parameters: Tensor[]): void {
  tidy(() => parameters.forEach((p) => p.mul(2).sum().backward()));
}

describe("step", () => {
  test("the first step moves each weight by the learning rate, after the decay", () => {
    const p = weight(1, -2);
    const optimizer = new AdamW([p], { lr: 0.1, weightDecay: 0.5 });
    backward(p);
    optimizer.step();
    // p (1 - lr wd) - lr m / sqrt(v), and m / sqrt(v) is the gradient's sign
    expect(p.toList()).toEqual([expect.closeTo(0.95 - 0.1, 6), expect.closeTo(-1.9 - 0.1, 6)]);
  });

  test("lrFactor scales the learning rate, decay included", () => {
    const p = weight(1);
    const optimizer = new AdamW([p], { lr: 0.1, weightDecay: 0.5 });
    backward(p);
    optimizer.step(0);
    expect(p.item()).toBe(1);
    optimizer.step(0.5);
    expect(p.item()).toBeCloseTo(0.975 - 0.05, 6);
  });

  test("a parameter without a gradient stays and keeps its count of steps", () => {
    const [p, idle] = [weight(1), weight(1)];
    const optimizer = new AdamW([p, idle]);
    backward(p);
    optimizer.step();
    expect(idle.item()).toBe(1);
    expect(Object.keys(optimizer.stateDict().state)).toEqual(["0"]);
    backward(idle);
    optimizer.step();
    const { state } = optimizer.stateDict();
    expect([state[0]!.step.item(), state[1]!.step.item()]).toEqual([2, 1]);
  });

  test("parameters of different dtypes go together", () => {
    const parameters = (["float32", "float64", "bfloat16"] as const).map((dtype) => parameter(tensor([1], { dtype })));
    const optimizer = new AdamW(parameters, { lr: 0.5, weightDecay: 0 });
    backward(...parameters);
    optimizer.step();
    for (const p of parameters) expect(p.item()).toBeCloseTo(0.5, 2);
  });

  test("is an error when no parameter has a gradient", () => {
    const optimizer = new AdamW([weight(1)]);
    expect(() => optimizer.step()).toThrow("AdamW.step: no parameter has a gradient; call backward()");
  });
});

describe("memory", () => {
  test("steps leave nothing behind but the state, and dispose frees that", () => {
    const p = weight(1, 2);
    const optimizer = new AdamW([p]);
    const step = () => {
      backward(p);
      optimizer.step();
      optimizer.zeroGrad();
    };
    const before = memory().tensors;
    step();
    expect(memory().tensors - before).toBe(3);
    expect(leakedBy(step)).toBe(0);
    expect(p.grad).toBeNull();
    optimizer.dispose();
    expect(memory().tensors).toBe(before);
  });

  test("state made inside tidy outlives it", () => {
    const p = weight(1);
    const optimizer = new AdamW([p]);
    tidy(() => {
      backward(p);
      optimizer.step();
    });
    expect(optimizer.stateDict().state[0]!.step.item()).toBe(1);
  });
});

describe("bad input", () => {
  test.each([
    { options: { lr: -1 }, message: "Expected a number from 0 for 'lr' but received -1" },
    { options: { eps: NaN }, message: "Expected a number from 0 for 'eps' but received NaN" },
    { options: { weightDecay: Infinity }, message: "for 'weightDecay' but received Infinity" },
    { options: { betas: [0.9, 1] as const }, message: "Expected a number from 0 to below 1 for 'betas[1]' but received 1" },
  ])("$options", ({ options, message }) => {
    expect(() => new AdamW([weight(1)], options)).toThrow(message);
    expect(() => new AdamW([{ params: [weight(1)], ...options }])).toThrow(message);
  });

  test("no parameters, one twice, one that was computed", () => {
    const p = weight(1);
    expect(() => new AdamW([])).toThrow("Expected at least one parameter for 'params' but received none");
    expect(() => new AdamW([{ params: [p] }, { params: [p] }])).toThrow("Expected each parameter once");
    expect(() => new AdamW([p.mul(2)])).toThrow("Expected leaf tensors for 'params' but received a result of MulBackward");
  });

  test("a state of another model names what differs", () => {
    const p = weight(1, 2);
    const optimizer = new AdamW([p]);
    backward(p);
    optimizer.step();
    const saved = optimizer.stateDict();
    expect(() => new AdamW([weight(1), weight(2)]).loadStateDict(saved)).toThrow(
      "Expected groups of 2 parameters for 'groups' but received 1",
    );
    expect(() => new AdamW([parameter(zeros([3]))]).loadStateDict(saved)).toThrow(
      "Expected shape [3] for 'state.0.expAvg' but received [2]",
    );
    const { groups, state } = saved;
    expect(() => new AdamW([p]).loadStateDict({ groups, state: { 1: state[0]! } })).toThrow(
      "Expected indices of 1 parameters in 'state' but received 1",
    );
    const { step, expAvg } = state[0]!;
    expect(() => new AdamW([p]).loadStateDict({ groups, state: { 0: { step, expAvg } as never } })).toThrow(
      "Expected a tensor for 'state.0.expAvgSq' but received undefined",
    );
  });
});

describe("gradients laid out unlike their parameter", () => {
  test("reach the weights they belong to", () => {
    const p = parameter(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    );
    const optimizer = new AdamW([p], { lr: 1, weightDecay: 0 });
    // Only [0, 1] has a gradient, held in column-major order: strides [1, 2] against the parameter's [3, 1].
    p.grad = tensor([
      [0, 0],
      [1, 0],
      [0, 0],
    ]).t();
    expect(p.grad!.strides).toEqual([1, 2]);
    optimizer.step();
    expect(p.toList()).toEqual([
      [1, expect.closeTo(1, 5), 3],
      [4, 5, 6],
    ]);
  });
});

describe("settings", () => {
  test("one that is undefined in a group is the optimizer's", () => {
    expect(new AdamW([{ params: [weight(1)], lr: undefined }], { lr: 0.5 }).groups[0]!.lr).toBe(0.5);
  });

  test.each([
    ["options", () => new AdamW([weight(1)], { learningRate: 1 } as object), "'learningRate'"],
    ["a group", () => new AdamW([{ params: [weight(1)], weight_decay: 0 } as never]), "'weight_decay'"],
  ])("misspelt ones in %s are refused", (_, make, name) => {
    expect(make).toThrow(name);
  });

  test("a factor that is not finite is refused before any weight changes", () => {
    const p = weight(1);
    const optimizer = new AdamW([p]);
    backward(p);
    expect(() => optimizer.step(Number.NaN)).toThrow("'lrFactor' but received NaN");
    expect(p.item()).toBe(1);
  });
});
