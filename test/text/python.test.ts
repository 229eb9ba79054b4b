import { expect, test } from "vitest";
import { range, strftime } from "../../src/text/python";

test("strftime writes every field it knows", () => {
  const date = new Date(2024, 1, 5, 0, 7, 9, 4); // a Monday
  expect(strftime(date, "%Y %y %m %d %j %H %I %M %S %f %p")).toBe("2024 24 02 05 036 00 12 07 09 004000 AM");
  expect(strftime(date, "%B %b %A %a %% %-d %-m %-H")).toBe("February Feb Monday Mon % 5 2 0");
  expect(strftime(date, "%F %T")).toBe("2024-02-05 00:07:09");
});

test("range counts as Python does", () => {
  expect(range(3)).toEqual([0, 1, 2]);
  expect(range(5, 0, -2)).toEqual([5, 3, 1]);
  expect(range(2, 2)).toEqual([]);
  expect(() => range(0, 5, 0)).toThrow("a step that is not 0");
});
