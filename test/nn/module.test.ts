import { describe, expect, test } from "vitest";
import { buffer, Embedding, Linear, type LinearLayer, Module, parameter, RmsNorm } from "../../src/nn";
import { AdamW } from "../../src/optim";
import { arange, memory, ones, type Tensor, tensor, tidy, zeros } from "../../src/torch";

class Block extends Module {
  readonly qProj: LinearLayer = new Linear(3, 2, { bias: false });
  readonly postNorm = new RmsNorm(2);
}

class Model extends Module {
  readonly embedTokens = new Embedding(4, 3);
  readonly layers = [new Block(), new Block()];
  readonly logitScale = parameter(ones([1]));
  readonly seenTokens = buffer(zeros([2]));
  readonly positionIds = buffer(arange(3), { persistent: false });
  readonly lastInput: Tensor = ones([2]);
  readonly hiddenSize = 3;
}

const names = (model: Module) => [...model.namedParameters()].map(([name]) => name);

describe("names", () => {
  test("are the path of fields in snake_case, a module's own before its children's", () => {
    expect(names(new Model())).toEqual([
      "logit_scale",
      "embed_tokens.weight",
      "layers.0.q_proj.weight",
      "layers.0.post_norm.weight",
      "layers.1.q_proj.weight",
      "layers.1.post_norm.weight",
    ]);
  });

  test("buffers are apart, and only persistent ones are in the state dict", () => {
    const model = new Model();
    expect([...model.namedBuffers()].map(([name]) => name)).toEqual(["seen_tokens", "position_ids"]);
    expect(Object.keys(model.stateDict()).sort()).toEqual([...names(model), "seen_tokens"].sort());
  });

  test("a shared parameter is listed once and saved under both names", () => {
    const shared = new Linear(2, 2, { bias: false });
    class Tied extends Module {
      readonly first = shared;
      readonly second = shared;
    }
    const model = new Tied();
    expect(names(model)).toEqual(["first.weight"]);
    expect([...model.modules()]).toHaveLength(2);
    expect(Object.keys(model.stateDict())).toEqual(["first.weight", "second.weight"]);
  });
});

describe("ownership", () => {
  test("a module built inside tidy outlives it, and dispose frees all of it", () => {
    const before = memory().tensors;
    const block = tidy(() => {
      const built = new Block();
      return () => built;
    })();
    expect(memory().tensors - before).toBe(2);
    expect(block.postNorm.weight.toList()).toEqual([1, 1]);
    block.dispose();
    expect(memory().tensors).toBe(before);
  });

  test("a parameter must be a leaf", () => {
    const x = ones([2], { requiresGrad: true });
    expect(() => parameter(x.mul(2))).toThrow("Expected a leaf tensor for 'data' but received a result of MulBackward");
  });
});

describe("state dict", () => {
  test("its tensors are the module's own storage", () => {
    const block = new Block();
    block.stateDict()["post_norm.weight"]!.fill_(5);
    expect(block.postNorm.weight.toList()).toEqual([5, 5]);
  });

  test("loading copies, converting dtype, and keeps the parameters", () => {
    const block = new Block();
    const { weight } = block.postNorm;
    const dict = { "q_proj.weight": ones([2, 3], { dtype: "float64" }), "post_norm.weight": tensor([7, 8]) };
    expect(block.loadStateDict(dict)).toEqual({ missing: [], unexpected: [] });
    dict["post_norm.weight"].fill_(0);
    expect(block.postNorm.weight).toBe(weight);
    expect(weight.toList()).toEqual([7, 8]);
    expect(block.stateDict()["q_proj.weight"]!.dtype).toBe("float32");
    expect(weight.requiresGrad).toBe(true);
  });

  test("what does not fit is named, all of it, and nothing is written", () => {
    const block = new Block();
    const dict = { "post_norm.weight": tensor([7, 8, 9]), "k_proj.weight": zeros([1]) };
    expect(() => block.loadStateDict(dict)).toThrow(
      "Expected shape [2] for 'post_norm.weight' but received [3]\n" +
        "  Expected a tensor for 'q_proj.weight' but received none\n" +
        "  Expected no 'k_proj.weight': Block has no such tensor",
    );
    const halfRight = { "post_norm.weight": tensor([7, 8]), "q_proj.weight": zeros([3, 2]) };
    expect(() => block.loadStateDict(halfRight)).toThrow("Expected shape [2, 3] for 'q_proj.weight' but received [3, 2]");
    expect(block.postNorm.weight.toList()).toEqual([1, 1]);
  });

  test("not strict returns what did not match, but a wrong shape stays an error", () => {
    const block = new Block();
    const loose = { strict: false };
    expect(block.loadStateDict({ "post_norm.weight": tensor([7, 8]), other: zeros([1]) }, loose)).toEqual({
      missing: ["q_proj.weight"],
      unexpected: ["other"],
    });
    expect(block.postNorm.weight.toList()).toEqual([7, 8]);
    expect(() => block.loadStateDict({ "post_norm.weight": zeros([1]) }, loose)).toThrow("Expected shape [2]");
  });
});

test("train and eval reach every module", () => {
  const model = new Model();
  expect([...model.eval().modules()].some(({ training }) => training)).toBe(false);
  expect([...model.train().modules()].every(({ training }) => training)).toBe(true);
});

test("requiresGrad_ freezes, zeroGrad drops gradients", () => {
  const block = new Block();
  block.postNorm
    .forward(ones([1, 2]))
    .sum()
    .backward();
  expect(block.postNorm.weight.grad).not.toBeNull();
  block.zeroGrad();
  expect(block.postNorm.weight.grad).toBeNull();
  expect([...block.requiresGrad_(false).parameters()].some(({ requiresGrad }) => requiresGrad)).toBe(false);
});

describe("to", () => {
  test("converts floating-point parameters with their gradients, and leaves buffers their dtype", () => {
    const model = new Model();
    model.logitScale.mul(3).sum().backward();
    const before = memory().tensors;
    model.to({ dtype: "float64", device: "cpu" });
    expect(memory().tensors).toBe(before);
    expect([...model.parameters()].every(({ dtype }) => dtype === "float64")).toBe(true);
    expect(model.logitScale.grad!.dtype).toBe("float64");
    expect(model.logitScale.grad!.toList()).toEqual([3]);
    expect([model.seenTokens.dtype, model.positionIds.dtype]).toEqual(["float32", "int64"]);
  });

  test("takes a dtype, a device, or both", () => {
    expect(new RmsNorm(2).to("float64").weight.dtype).toBe("float64");
    expect(new RmsNorm(2).to("cpu").weight.device).toBe("cpu");
    expect(new RmsNorm(2).to("cpu", "bfloat16").weight.dtype).toBe("bfloat16");
    expect(() => new RmsNorm(2).to("cuda:99")).toThrow("Expected a device that is here");
  });

  test.each<[unknown, RegExp]>([
    ["CUDA", /^Expected a dtype, a device, a Tensor or options \(dtype, device\) for 'to' but received "CUDA"/],
    [{ dtpye: "float64" }, /for 'to' but received \{ dtpye \}/],
    ["cuda:x", /for 'to' but received "cuda:x"/],
    ["int64", /Expected a floating-point dtype for a module's 'to' but received 'int64'/],
    [undefined, /for 'to' but received undefined/],
  ])("rejects %j before anything is moved", (target, message) => {
    const norm = new RmsNorm(2);
    expect(() => norm.to(target as "cpu")).toThrow(message);
    expect(norm.weight.dtype).toBe("float32");
  });

  test("an optimizer made before trains the converted parameters", () => {
    const norm = new RmsNorm(2);
    const optimizer = new AdamW(norm.parameters(), { lr: 0.5, weightDecay: 0 });
    norm.to({ dtype: "float64" });
    norm.weight.sum().backward();
    optimizer.step();
    expect(norm.weight.toList()).toEqual([expect.closeTo(0.5, 6), expect.closeTo(0.5, 6)]);
    expect(norm.weight.requiresGrad && norm.weight.isLeaf).toBe(true);
  });
});

test("replaceModules substitutes in fields and in arrays, and does not enter the substitute", () => {
  const model = new Model();
  const seen: string[] = [];
  const substitute = new Block();
  model.replaceModules((name, module) => {
    seen.push(name);
    return name === "layers.1" ? substitute : module;
  });
  expect(seen).toEqual(["embed_tokens", "layers.0", "layers.0.q_proj", "layers.0.post_norm", "layers.1"]);
  expect(model.layers[1]).toBe(substitute);
});

test("an array of parameters is registered like one of modules", () => {
  class Bank extends Module {
    readonly scales = [parameter(ones([1])), parameter(ones([2]))];
  }
  const before = memory().tensors;
  const bank = new Bank();
  expect(names(bank)).toEqual(["scales.0", "scales.1"]);
  bank.dispose();
  expect(memory().tensors).toBe(before);
});
