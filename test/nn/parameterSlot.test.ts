import { describe, expect, test } from "vitest";
import { applyLora, lora } from "../../src";
import { Linear, Module, parameter, RmsNorm } from "../../src/nn";
import { ones, type Tensor, tensor, tidy } from "../../src/torch";
import "../setup/leaks";
import { tinyModel } from "../train/tiny";

class Model extends Module {
  readonly norm = new RmsNorm(2);
  readonly head = new Linear(2, 1, { bias: false });
  readonly scales = [parameter(ones([1])), parameter(tensor([5]))];
}

const other = (...values: number[]) => parameter(tensor(values), { requiresGrad: false });
const valuesOf = (model: Module) =>
  Object.fromEntries([...model.namedParameters()].map(([name, each]) => [name, (each.toList() as number[]).flat()]));

describe("a parameter's slot", () => {
  const places: [name: string, slot: (model: Model) => ReturnType<Module["parameterSlot"]>][] = [
    ["norm.weight", (model) => model.norm.parameterSlot("weight")],
    ["head.weight", (model) => model.head.parameterSlot("weight")],
    ["scales.1", (model) => model.parameterSlot("scales.1")],
  ];

  test.each(places)("of %s holds another in its place, and gets its own back", (name, slotOf) => {
    const model = new Model();
    const slot = slotOf(model);
    const before = valuesOf(model);
    const own = slot.value as Tensor;
    const standIn = parameter(own.detach().add(7), { requiresGrad: false });

    slot.replace(standIn);
    expect(valuesOf(model)).toEqual({ ...before, [name]: before[name]!.map((value) => expect.closeTo(value + 7, 5) as number) });
    expect([slot.value, slot.original]).toEqual([standIn, own]);
    expect([...model.parameters()].includes(own)).toBe(false);
    slot.restore();
    expect(valuesOf(model)).toEqual(before);
    expect([...model.parameters()].includes(own) && own.requiresGrad).toBe(true);
  });

  test.each(places)("of %s is the same for all that use it", (_, slotOf) => {
    const model = new Model();
    expect(slotOf(model)).toBe(slotOf(model));
  });

  test("keeps what is settled, and frees the former one", () => {
    expect(() => {
      const model = new Model();
      const slot = model.norm.parameterSlot("weight");
      slot.replace(other(3, 4));
      slot.settle();
      slot.restore();
      expect(valuesOf(model)["norm.weight"]).toEqual([3, 4]);
      model.dispose();
    }).toLeakNothing();
  });

  test("overwrites a tensor in place, and restores it to the bit", () => {
    expect(() => {
      const model = new Model();
      const { weight } = model.head;
      const before = [...weight.toArray()];
      const slot = model.head.parameterSlot("weight");
      slot.overwrite(tensor([[0.5, 0.25]]));
      expect([model.head.weight, weight.toList()]).toEqual([weight, [[0.5, 0.25]]]);
      slot.restore();
      expect([...weight.toArray()]).toEqual(before);
      slot.overwrite(tensor([[2, 3]]), { forGood: true });
      slot.restore();
      expect(weight.toList()).toEqual([[2, 3]]);
      model.dispose();
    }).toLeakNothing();
  });

  test("is a parameter's: anything else in a field has none", () => {
    expect(() => new Model().parameterSlot("norm")).toThrow(
      "Expected a parameter in 'norm' but received an object of class RmsNorm",
    );
    expect(() => new Model().parameterSlot("bias")).toThrow("Expected a parameter in 'bias' but received nothing");
  });
});

describe("a model", () => {
  test("tells its device and the dtype that it computes in", () => {
    const model = tidy(() => tinyModel());
    expect([model.device, model.dtype]).toEqual(["cpu", "float32"]);
    applyLora(model.to("bfloat16"), lora({ modulesToSave: ["embed_tokens"] }));
    expect([model.device, model.dtype]).toEqual(["cpu", "bfloat16"]);
  });

  test("lists the layers that multiply by a matrix: of an adapted one its base and its factors", () => {
    const model = tinyModel();
    const names = () => [...model.linearLayers()].map(([name]) => name).filter((name) => /\.0\.|head/.test(name));
    const layer = "model.layers.0";
    const attention = ["q_proj", "k_proj", "v_proj", "o_proj"].map((each) => `${layer}.self_attn.${each}`);
    const mlp = ["gate_proj", "up_proj", "down_proj"].map((each) => `${layer}.mlp.${each}`);
    expect(names()).toEqual([...attention, ...mlp, "lm_head"]);
    applyLora(model, lora({ targetModules: ["k_proj"] }));
    const factors = ["A", "B"].map((each) => `${layer}.self_attn.k_proj.lora_${each}`);
    expect(names()).toEqual([...attention.slice(0, 2), ...factors, ...attention.slice(2), ...mlp, "lm_head"]);
  });
});
