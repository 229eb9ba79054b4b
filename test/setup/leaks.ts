/**
 * `expect(fn).toLeakNothing()`: what `fn` creates is freed once it has returned, apart from nothing at all. `fn` runs
 * inside a `tidy`; modules, optimizers and kept tensors it must dispose itself.
 */
import { expect } from "vitest";
import { memory, tidy } from "../../src/torch";

const RUNS = 3;

declare module "vitest" {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  interface Matchers<T = any> {
    toLeakNothing(): T;
  }
}

expect.extend({
  toLeakNothing(fn: () => unknown) {
    const run = () => tidy(() => void fn());
    run(); // what libtorch and the binding keep from a first call is no leak
    const before = memory();
    for (let i = 0; i < RUNS; i++) run();
    const after = memory();
    const tensors = (after.tensors - before.tensors) / RUNS;
    const bytes = (after.live - before.live) / RUNS;
    return {
      pass: tensors === 0 && bytes === 0,
      message: () =>
        `Expected a call to leak ${this.isNot ? "something" : "nothing"} but it leaves ${tensors} tensors and ${bytes} bytes`,
    };
  },
});
