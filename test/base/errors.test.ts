import { expect, test } from "vitest";
import { InputError } from "../../src/base/errors";

test("a message that quotes a value without end keeps both of its ends", () => {
  const { message } = new InputError(`Expected a model at ${"x".repeat(1_000_000)} in config.json`);
  expect(message).toMatch(/^Expected a model at x+ … \(\d+ characters more\) … x+ in config\.json$/);
  expect(message.length).toBeLessThan(8100);
  expect(new InputError("short").message).toBe("short");
});
