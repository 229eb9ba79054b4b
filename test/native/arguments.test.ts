/**
 * What the addon makes of values that are not what it asks for. Slots are numbers, and slot 0 holds a tensor: in Node NaN
 * and 2^32 would be 0 to napi_get_value_int32, in Deno null and false as well.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binding } from "../../src/native/binding";
import { DisposedTensorError } from "../../src/native/errors";

const [add, linear, sum, uniform] = ["aten::add.Tensor", "aten::linear", "aten::sum.dim_IntList", "aten::uniform_"].map((name) =>
  binding.findOperator(name),
) as [number, number, number, number];
const FLOAT32 = 6;

let x: number;
let taken: number;
beforeAll(() => {
  // Slots from 0 on are taken, so that a value that is mistaken for a small number finds a tensor.
  taken = binding.liveTensors();
  for (let i = 0; i < 4; i++) x = binding.fromBytes(new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer), FLOAT32, [2, 2]);
});
afterAll(() => {
  for (let slot = x; binding.liveTensors() > taken; slot--) binding.release(slot);
});

const noSlots: [string, unknown][] = [
  ["null", null],
  ["undefined", undefined],
  ["true", true],
  ["false", false],
  ['"1"', "1"],
  ["1n", 1n],
  ["0n", 0n],
  ["{}", {}],
  ["[]", []],
  ["[1]", [1]],
  ["a Number", Object(1)],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["1.5", 1.5],
  ["2^32", 2 ** 32],
  ["-(2^31) - 1", -(2 ** 31) - 1],
  ["a function", () => 1],
  ["a symbol", Symbol("x")],
  ["valueOf", { valueOf: () => 1 }],
];

describe.each(noSlots)("%s is not a slot", (_, value) => {
  const slot = value as number;

  test.each<[string, () => unknown]>([
    ["an operator's argument", () => binding.call(add, x, slot)],
    ["an element of a list", () => binding.call(binding.findOperator("aten::stack"), [x, slot])],
    ["a generator", () => binding.call(uniform, x, 0, 1, slot === undefined || slot === null ? 7.5 : slot)],
    ["an operator's id", () => binding.call(slot, x, x)],
    ["shape", () => binding.shape(slot)],
    ["item", () => binding.item(slot)],
    ["a gradient", () => binding.setGradient(x, slot)],
    ["backward", () => binding.backward([slot], [], false, false, [])],
  ])("to %s", (_place, act) => {
    expect(act).toThrow(TypeError);
  });

  test("to release, which leaves everything as it was", () => {
    const before = binding.liveTensors();
    binding.release(slot);
    expect(binding.liveTensors()).toBe(before);
  });
});

test("a number without a slot is a disposed tensor", () => {
  for (const slot of [-1, -7, 2 ** 31 - 1]) expect(() => binding.shape(slot)).toThrow(DisposedTensorError);
});

test("null for an optional tensor means none, not the tensor in slot 0", () => {
  const [without, withNull] = [binding.call(linear, x, x), binding.call(linear, x, x, null)] as [number, number];
  const values = (slot: number) => [...new Float32Array(binding.readBytes(slot))];
  expect(values(withNull)).toEqual([5, 11, 11, 25]); // [[1, 2], [3, 4]] times its transpose
  expect(values(without)).toEqual(values(withNull));
  [without, withNull].forEach((slot) => binding.release(slot));
});

test.each([[NaN], [1.5], [2 ** 54], ["1"], [{}], [2n ** 64n], [Infinity]])("%s is not an integer", (value) => {
  expect(() => binding.call(sum, x, [value])).toThrow(/^expected an integer for argument 'dim'/);
});

test.each([[NaN], [1.5], [-1], ["1"], [null], [2n], [true]])("%s is not a size", (value) => {
  expect(() => binding.fromBytes(new Uint8Array(4), FLOAT32, [value as number])).toThrow("expected an array of sizes");
});

test.each([[1n], ["1"], [null], [true], [{}]])("%s is not a float", (value) => {
  expect(() => binding.call(uniform, x, value, 2)).toThrow(/^expected a number for argument 'from'/);
});

describe("meta tensors", () => {
  const meta = () =>
    binding.call(binding.findOperator("aten::empty.memory_format"), [2, 2], FLOAT32, undefined, "meta") as number;

  test("do not mix with tensors that have data, which would end the process", () => {
    const slot = meta();
    const before = binding.liveTensors();
    const groupNorm = binding.findOperator("aten::native_group_norm");
    for (const act of [() => binding.call(add, x, slot), () => binding.call(groupNorm, x, slot, null, 2, 2, 1, 1, 1e-5)])
      expect(act).toThrow(/^Expected either meta tensors or tensors with data but received both\n.*float32\[2, 2\] meta/);
    expect(binding.liveTensors()).toBe(before);
    binding.release(slot);
  });

  test("work with each other, with scalars, and where only shapes or copies are needed", () => {
    const [slot, number] = [meta(), binding.fromBytes(new Uint8Array(4), FLOAT32, [])];
    const calls: [string, ...unknown[]][] = [
      ["aten::add.Tensor", slot, slot],
      ["aten::add.Tensor", slot, number],
      ["aten::copy_", slot, x],
      ["aten::expand_as", slot, x],
    ];
    for (const [name, ...args] of calls) {
      const result = binding.call(binding.findOperator(name), ...args) as number | undefined;
      if (result === undefined) continue; // in place
      expect(binding.shape(result)).toEqual([2, 2]);
      binding.release(result);
    }
    [slot, number].forEach((each) => binding.release(each));
  });
});
