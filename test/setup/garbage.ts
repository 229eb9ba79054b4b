/** Counting tensors where a test waits: meanwhile the garbage of earlier tests may be collected. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { memory } from "../../src/torch";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** The number of live tensors, once those that nothing refers to are freed. */
export async function settledTensors(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve)); // finalizers run between turns
  }
  return memory().tensors;
}
