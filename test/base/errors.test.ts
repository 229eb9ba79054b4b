import { expect, test } from "vitest";
import { expected, InputError } from "../../src/base/errors";

test("a message that quotes a value without end keeps both of its ends", () => {
  const { message } = new InputError(`Expected a model at ${"x".repeat(1_000_000)} in config.json`);
  expect(message).toMatch(/^Expected a model at x+ … \(\d+ characters more\) … x+ in config\.json$/);
  expect(message.length).toBeLessThan(8100);
  expect(new InputError("short").message).toBe("short");
});

test("the sentence of an error names what it knows", () => {
  expect(expected("a number above 0", "0")).toBe("Expected a number above 0 but received 0");
  expect(expected("a number above 0", "0", { name: "beta", where: "in dpop.yaml", wayOut: "leave it out" })).toBe(
    "Expected a number above 0 for 'beta' in dpop.yaml but received 0; leave it out",
  );
});
