/** Options whose values an argument checks. */
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { choice, integer, number, optional, withWayOut } from "../../src/base/arguments";
import { deviceOption, option } from "../../src/cli/options";

const parsed = (made: ReturnType<typeof option>, ...args: string[]) =>
  new Command()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .addOption(made)
    .parse(args, { from: "user" })
    .opts();

const count = () => option("--most-tokens <n>", integer(256, "the most tokens", { min: 1 }));
const share = () => option("--share <x>", optional(number(0, "a share", { min: 0, max: 1 })));

describe("an option", () => {
  test("has the argument's value, or its default", () => {
    expect(parsed(count(), "--most-tokens", "8")).toEqual({ mostTokens: 8 });
    expect(parsed(count())).toEqual({ mostTokens: 256 });
    expect(count().description).toBe("the most tokens");
  });

  test("that is optional has no default", () => {
    expect(parsed(share(), "--share", "0.5")).toEqual({ share: 0.5 });
    expect(parsed(share())).toEqual({});
  });

  test("for a device has the CPU as its default, and takes one that may not be there", () => {
    expect(parsed(deviceOption())).toEqual({ device: "cpu" });
    expect(parsed(deviceOption(), "--device", "xpu:1")).toEqual({ device: "xpu:1" });
  });

  test.each([
    [deviceOption(), ["--device", "gpu"], /argument 'gpu' is invalid\. Expected cpu, cuda, cuda:N or another accelerator of/],
    [count(), ["--most-tokens", "0"], /argument '0' is invalid\. Expected an integer from 1\.$/],
    [share(), ["--share", "null"], /argument 'null' is invalid\. Expected a number from 0 to 1\.$/],
    [share(), ["--share", "2"], /argument '2' is invalid\. Expected a number from 0 to 1\.$/],
    [
      option(
        "--optim <name>",
        withWayOut(choice(["a", "b"], "a", ""), () => "write a"),
      ),
      ["--optim", "c"],
      /argument 'c' is invalid\. Expected one of a, b; write a\.$/,
    ],
  ])("refuses another value with what it expects: %#", (made, args, message) => {
    expect(() => parsed(made, ...args)).toThrow(message);
  });
});
