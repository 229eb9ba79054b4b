import { expect, test } from "vitest";
import { parameter } from "../../src/nn";
import { clipGradNorm_ } from "../../src/optim";
import { tensor } from "../../src/torch";
import { leakedBy } from "../parity/fixture";

function withGrad(...grad: number[]) {
  const p = parameter(tensor(grad.map(() => 0)));
  p.grad = tensor(grad);
  return p;
}

test("scales a joint norm of 5 down to 1", () => {
  const [a, b, idle] = [withGrad(3), withGrad(0, 4), parameter(tensor([1]))];
  expect(clipGradNorm_([a, idle, b], 1).item()).toBe(5);
  expect(a.grad!.item()).toBeCloseTo(0.6, 6);
  expect(b.grad!.toList()).toEqual([0, expect.closeTo(0.8, 6)]);
  expect(idle.grad).toBeNull();
});

test("leaves gradients below the limit as they are", () => {
  const p = withGrad(0.1, 0.2);
  const before = p.grad!.toArray();
  clipGradNorm_([p], 1);
  expect(p.grad!.toArray()).toEqual(before);
});

test("reports a norm that is not finite", () => {
  expect(clipGradNorm_([withGrad(NaN)], 1).item()).toBeNaN();
});

test("is 0 without gradients, and leaves nothing behind", () => {
  expect(clipGradNorm_([parameter(tensor([1]))], 1).item()).toBe(0);
  const p = withGrad(1);
  expect(leakedBy(() => void clipGradNorm_([p], 1))).toBe(0);
});

test("refuses a negative limit", () => {
  expect(() => clipGradNorm_([], -1)).toThrow("Expected a number from 0 for 'maxNorm' but received -1");
});
