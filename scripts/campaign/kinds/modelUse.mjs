/** Loading a model folder and running it, for the kinds that damage one. */
import { product } from "../product.mjs";

/** Loads a model (with an adapter), runs a few tokens through it and returns the logits. */
export async function logitsOf(folder, adapter) {
  const { loadModel } = product();
  const { fromTypedArray, noGrad, tidy } = product("torch/index.js");
  const model = await loadModel(folder, adapter === undefined ? {} : { adapter });
  try {
    return tidy(() =>
      noGrad(() => {
        const ids = fromTypedArray(BigInt64Array.of(1n, 3n, 5n, 2n), [1, 4]);
        return model.forward(ids).to("float64").reshape([-1]).toArray();
      }),
    );
  } finally {
    model.dispose();
  }
}

export const sameNumbers = (a, b) => a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
