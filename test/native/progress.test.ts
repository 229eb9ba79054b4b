import { expect, test } from "vitest";
import { terminalProgress } from "../../src/native/setup/report";

function record(isTTY: boolean) {
  let text = "";
  const stream = { isTTY, write: (part: string) => (text += part) } as unknown as NodeJS.WriteStream;
  const progress = terminalProgress(stream);
  for (let done = 0; done <= 1000; done++) progress.share("fetching", done, 1000);
  progress.line("unpacking");
  return text;
}

test("without a terminal every further tenth is a line", () => {
  const tenths = Array.from({ length: 11 }, (_, tenth) => `smaug: fetching: ${10 * tenth} %\n`);
  expect(record(false)).toBe(`${tenths.join("")}smaug: unpacking\n`);
});

test("on a terminal one line counts up, and the next begins below it", () => {
  const text = record(true);
  expect(text.split("\n")).toHaveLength(3);
  expect(text).toMatch(/\rsmaug: fetching: 99 %\rsmaug: fetching: 100 %\nsmaug: unpacking\n$/);
});

test("an unknown total says nothing", () => {
  const written: string[] = [];
  const stream = { isTTY: true, write: (part: string) => written.push(part) } as unknown as NodeJS.WriteStream;
  terminalProgress(stream).share("fetching", 5, 0);
  expect(written).toEqual([]);
});
