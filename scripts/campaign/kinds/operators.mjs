/** Random operators with random arguments through the binding, but for those that the project excludes (test/native/programs/exclusions.ts). */

import { join } from "node:path";
import { inspect } from "node:util";
import { product, ROOT, require, wrong } from "../product.mjs";

const [FLOAT32, FLOAT64, INT64, BOOL, COMPLEX64, BFLOAT16] = [6, 7, 4, 11, 9, 15];
const floats = (...values) => new Uint8Array(new Float32Array(values).buffer);
const longs = (...values) => new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
const range = (count) => Array.from({ length: count }, (_, i) => i - 2);

export default {
  name: "operators",
  share: 3,
  batch: 1500,
  minimum: 15000,
  async open() {
    require(join(ROOT, "test", "setup", "typescript.cjs"));
    const { exclusions } = require(join(ROOT, "test", "native", "programs", "exclusions.ts"));
    const { binding } = product("native/binding.js");
    const isExcluded = (name) => exclusions.has(name) || exclusions.has(name.split(".")[0]);
    const names = binding
      .operatorNames()
      .filter((name) => name.startsWith("aten::") && !isExcluded(name))
      .sort();
    binding.createGenerator("cpu");
    const make = [
      [floats(...range(6)), FLOAT32, [2, 3]],
      [floats(...range(6)), FLOAT32, [3, 2]],
      [floats(...range(3)), FLOAT32, [3]],
      [floats(0.5), FLOAT32, []],
      [floats(), FLOAT32, [0, 3]],
      [floats(...range(9)), FLOAT32, [3, 3]],
      [floats(...range(32)), FLOAT32, [1, 2, 4, 4]],
      [floats(...range(12)), FLOAT32, [2, 2, 3]],
      [floats(NaN, Infinity, -1), FLOAT32, [3]],
      [new Uint8Array(48), FLOAT64, [2, 3]],
      [longs(0, 1, 2), INT64, [3]],
      [longs(-1, 5, 9, 0, 1, 2), INT64, [2, 3]],
      [longs(1), INT64, []],
      [new Uint8Array([1, 0, 1]), BOOL, [3]],
      [new Uint8Array(24), COMPLEX64, [3]],
      [new Uint8Array(12), BFLOAT16, [2, 3]],
      [floats(...range(6)), FLOAT32, [2, 3], true],
      [floats(...range(3)), FLOAT32, [3], true],
    ];
    const pool = make.map(([bytes, dtype, sizes, grad]) => () => {
      const slot = binding.fromBytes(bytes, dtype, sizes);
      if (grad) binding.setRequiresGrad(slot, true);
      return slot;
    });
    return { binding, names, pool };
  },
  async make(random, _folder, { binding, names, pool }) {
    const name = random.of(names);
    const id = binding.findOperator(name);
    const args = binding.describeOperator(id).arguments.map((each) => argument(random, each, pool.length));
    const note = `${name} ${inspect(args, { breakLength: Infinity })}`;
    return {
      note,
      run: async () => {
        // The slot that was released last is used first: each tensor comes to its own again.
        for (let slot = pool.length - 1; slot >= 0; slot--) binding.release(slot);
        pool.forEach((fill) => fill());
        let error;
        try {
          binding.call(id, ...args);
        } catch (thrown) {
          error = thrown;
        }
        const left = binding.liveTensors() - pool.length;
        for (let slot = pool.length; binding.liveTensors() > pool.length && slot < 100_000; slot++) binding.release(slot);
        binding.setGradEnabled(true);
        if (error && left !== 0) return wrong(`${name} left ${left} tensors behind when it threw`);
        if (error && !(error instanceof Error)) return { type: "unclear", text: `${name} threw ${inspect(error)}` };
      },
    };
  },
  judge: (error) => ({ type: "unclear", text: String(error?.stack ?? error) }),
};

function argument(random, { kind, list, optional, optionalElement, size, hasDefault }, slots) {
  if (optional && random.chance(0.25)) return null;
  if (hasDefault && random.chance(0.25)) return undefined;
  const one = () => (optionalElement && random.chance(0.25) ? null : valueOf(random, kind, slots));
  if (!list) return one();
  return Array.from({ length: size > 0 ? size : random.integer(0, 4) }, one);
}

function valueOf(random, kind, slots) {
  const integer = () => (random.chance(0.8) ? random.integer(-1, 3) : random.of([-2, 4, 7]));
  const double = () => random.of([0, 1, -1, 0.5, 1e-5, 3, NaN, Infinity]);
  switch (kind) {
    case "Tensor":
    case "Storage":
      return random.integer(0, slots - 1);
    case "Scalar":
      return random.of([integer(), double(), random.chance(0.5), { real: 1, imag: -1 }]);
    case "int":
      return integer();
    case "float":
      return double();
    case "bool":
      return random.chance(0.5);
    case "str":
      return random.of(["mean", "none", "sum", "trunc", "floor", "ij,jk->ik", "linear", "reflect", "lower", "", "fro"]);
    case "dtype":
      return random.of([FLOAT32, FLOAT64, INT64, BOOL, BFLOAT16, COMPLEX64, 0, 12]);
    case "layout":
      return random.of([0, 1]);
    case "Device":
      return random.of(["cpu", "meta"]);
    case "MemoryFormat":
      return random.integer(0, 3);
    case "Generator":
      return 0;
    case "Stream":
      return "cpu";
    default:
      return null;
  }
}
