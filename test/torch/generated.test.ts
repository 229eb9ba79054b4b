/**
 * The types of the operators: src/torch/ops.generated.ts against the running library, and calls as users write them,
 * which `npm run check` checks.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, expectTypeOf, test } from "vitest";
import { binding } from "../../src/native/binding";
import {
  type autograd,
  type DType,
  type Generator,
  type Index,
  type ops as installedOps,
  type slice as installedSlice,
  Tensor,
} from "../../src/torch";
import { jsName } from "../../src/torch/schemas";
import { Handle } from "../../src/torch/scope";

interface Script {
  generate(from: typeof binding, naming: typeof jsName, tensorProperties: Set<string>): string;
  handwrittenProperties(tensor: typeof Tensor, handle: typeof Handle): Set<string>;
}

const root = join(__dirname, "../..");
const committed = readFileSync(join(root, "src/torch/ops.generated.ts"), "utf8");
const bases = [
  ...new Set(
    binding
      .operatorNames()
      .filter((name) => name.startsWith("aten::"))
      .map((name) => name.slice("aten::".length).split(".")[0]!),
  ),
];

/** The names declared in one of the interfaces of the generated file. */
function declared(name: string): Set<string> {
  const start = committed.indexOf(`export interface ${name}<Tensor, Generator> {`);
  const body = committed.slice(start, committed.indexOf("\n}\n", start));
  return new Set([...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, method]) => method!));
}

async function script(): Promise<Script> {
  return (await import(join(root, "scripts/generate-ops.mjs"))) as Script;
}

test("the committed file is what the running library generates", async () => {
  const { generate, handwrittenProperties } = await script();
  const generated = generate(binding, jsName, handwrittenProperties(Tensor, Handle));
  // Another libtorch minor has other operators; the committed types are those of the pinned one.
  const pinned = committed.includes(`libtorch ${binding.versions().compiled}.`);
  const sameOps = pinned ? generated === committed : generated.includes("export interface Ops");
  expect(sameOps, "run `npm run generate`, and look at what changed").toBe(true);
});

describe("jsName", () => {
  test.each([
    ["add", "add"],
    ["log_softmax", "logSoftmax"],
    ["add_", "add_"],
    ["index_put_", "indexPut_"],
    ["_fused_adamw_", "_fusedAdamw_"],
    ["__and__", "__and__"],
    ["__ilshift__", "__ilshift__"],
    ["conv2d", "conv2d"],
    ["upsample_nearest2d", "upsampleNearest2d"],
    ["fft_fft2", "fftFft2"],
    ["l1_loss", "l1Loss"],
    ["_cast_Byte", "_castByte"],
    ["numpy_T", "numpyT"],
    ["max_pool2d_with_indices", "maxPool2dWithIndices"],
    ["rounding_mode", "roundingMode"],
    ["_test_", "_test_"],
  ])("%s is %s", (name, expected) => expect(jsName(name)).toBe(expected));

  test("gives no two operators one name", () => {
    const named = bases.map(jsName);
    expect(named.filter((name, at) => named.indexOf(name) !== at)).toEqual([]);
    expect(named.length).toBeGreaterThan(1000);
  });

  test("gives no two arguments of an operator one name", () => {
    for (const name of binding.operatorNames().filter((name) => name.startsWith("aten::"))) {
      const names = binding.describeOperator(binding.findOperator(name)).arguments.map((argument) => jsName(argument.name));
      expect(new Set(names).size, name).toBe(names.length);
    }
  });
});

test("every operator has a type, and nothing else has one", () => {
  const typed = declared("Ops");
  const unusable = bases.map(jsName).filter((name) => !typed.has(name));
  expect(unusable.sort()).toEqual([]);
  expect([...typed].filter((name) => !bases.map(jsName).includes(name))).toEqual([]);
});

test("methods are the public operators on self, and none is a property of Tensor", async () => {
  const methods = declared("TensorMethods");
  const handwritten = (await script()).handwrittenProperties(Tensor, Handle);
  expect([...methods].filter((name) => handwritten.has(name) || (name.startsWith("_") && !name.startsWith("__")))).toEqual([]);
  expect(["matmul", "softmax", "add_", "sum", "__and__", "permute", "topk"].filter((name) => !methods.has(name))).toEqual([]);
  expect(
    ["to", "index", "indexPut_", "size", "item", "embedding", "cat", "_softmax", "where"].filter((name) => methods.has(name)),
  ).toEqual([]);
});

describe("types", () => {
  test("of calls as users write them", () => {
    // Never run: the compiler is the test.
    const calls = (a: Tensor, b: Tensor, ops: typeof installedOps, slice: typeof installedSlice, generator: Generator) => {
      expectTypeOf(a.add(b, { alpha: 2 }).mul(3n).div(b, { roundingMode: "floor" })).toEqualTypeOf<Tensor>();
      expectTypeOf(a.sum(1, true)).toEqualTypeOf<Tensor>();
      expectTypeOf([
        a.sum(),
        a.sum([0, 1]),
        a.sum({ dim: 1, keepdim: true }),
        a.sum(1, { dtype: "float32" }),
        a.mean(-1, true),
      ]).toEqualTypeOf<Tensor[]>();
      expectTypeOf(a.max(1)).toEqualTypeOf<[Tensor, Tensor]>();
      expectTypeOf(a.max()).toEqualTypeOf<Tensor>();
      expectTypeOf(a.topk(3, { largest: false })).toEqualTypeOf<[Tensor, Tensor]>();
      expectTypeOf(a.split([1, 2], -1)).toEqualTypeOf<Tensor[]>();
      expectTypeOf([a.softmax(-1), a.softmax({ dim: -1 }), a.logSoftmax(-1, { dtype: "float32" })]).toEqualTypeOf<Tensor[]>();
      expectTypeOf([a.reshape([2, -1]), a.transpose(0, 1), a.permute([0, 2, 1]), a.squeeze(0), a.unsqueeze(-1)]).toEqualTypeOf<
        Tensor[]
      >();
      expectTypeOf([a.gather(1, b), a.maskedFill(b, -Infinity), a.clamp(null, 1), a.clamp({ min: 0 })]).toEqualTypeOf<Tensor[]>();
      expectTypeOf([ops.cat([a, b], 1), ops.stack([a, b], { dim: 1 }), ops.einsum("ij,jk->ik", [a, b])]).toEqualTypeOf<
        Tensor[]
      >();
      expectTypeOf(ops.scaledDotProductAttention(a, a, a, { isCausal: true, enableGqa: true })).toEqualTypeOf<Tensor>();
      expectTypeOf(ops.scaledDotProductAttention(a, a, a, b, 0.1, false, { scale: 0.5 })).toEqualTypeOf<Tensor>();
      expectTypeOf([
        ops.embedding(a, b),
        ops.linear(a, b),
        ops.linear(a, b, null),
        ops.rmsNorm(a, [8], b, 1e-5),
        ops.gelu(a, { approximate: "tanh" }),
      ]).toEqualTypeOf<Tensor[]>();
      expectTypeOf(ops.crossEntropyLoss(a, b, null, 1, -100, 0.1)).toEqualTypeOf<Tensor>();
      expectTypeOf(a.normal_(0, 1, { generator }).zero_()).toEqualTypeOf<Tensor>();
      expectTypeOf(ops._foreachAdd_([a], [b], { alpha: 2 })).toEqualTypeOf<void>();
      expectTypeOf(ops.add(a, b, { out: a })).toEqualTypeOf<Tensor>();
      expectTypeOf(a.equal(b)).toEqualTypeOf<boolean>();
      expectTypeOf(ops.resultType(a, 1)).toEqualTypeOf<DType>();
      expectTypeOf(a.index(0, slice(1, 3), null, "...", b, [0, 1], [[true]], true)).toEqualTypeOf<Tensor>();
      expectTypeOf(a.index).parameter(0).toEqualTypeOf<Index>();
      expectTypeOf([a.to("float64"), a.to("cuda:0"), a.to(b), a.to({ device: "cuda", nonBlocking: true })]).toEqualTypeOf<
        Tensor[]
      >();
      expectTypeOf(a.to("float64").toArray()).toEqualTypeOf<Float64Array>();
      expectTypeOf(a.item()).toEqualTypeOf<number>();
      expectTypeOf<ReturnType<(typeof autograd)["grad"]>>().toEqualTypeOf<(Tensor | null)[]>();
    };
    expect(calls).toBeTypeOf("function");
  });

  test("refuse what would fail", () => {
    const mistakes = (a: Tensor, ops: typeof installedOps) => {
      // @ts-expect-error: a string is no operand
      a.add("1");
      // @ts-expect-error: sizes come in an array
      a.reshape(2, 3);
      // @ts-expect-error: misspelt option
      a.sum(1, { keepDim: true });
      // @ts-expect-error: unknown dtype
      a.to({ dtype: "float31" });
      // @ts-expect-error: a missing operand
      a.matmul();
      // @ts-expect-error: no such operator
      ops.addd(a, a);
      // @ts-expect-error: private operators are functions only
      a._softmax(0, false);
      // @ts-expect-error: a list of tensors
      ops.cat(a);
      // @ts-expect-error: an index is no object
      a.index({ start: 1 });
    };
    expect(mistakes).toBeTypeOf("function");
  });
});
