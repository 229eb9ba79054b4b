import { expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { expectOneProcess } from "../../src/base/processes";

test.each([undefined, "", "1", " 1 "])("WORLD_SIZE %j is one process", (value) => {
  expect(() => expectOneProcess({ WORLD_SIZE: value })).not.toThrow();
});

test.each(["2", "16", " 8 ", "0", "-1", "1.5", "two"])("WORLD_SIZE %j is refused", (value) => {
  expect(() => expectOneProcess({ WORLD_SIZE: value })).toThrow(InputError);
  expect(() => expectOneProcess({ WORLD_SIZE: value })).toThrow("WORLD_SIZE");
});
