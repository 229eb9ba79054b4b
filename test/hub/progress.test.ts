import { expect, test } from "vitest";
import { bytes, DownloadProgress } from "../../src/hub/progress";

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { written, stream: { isTTY, columns: 80, write: (text: string) => written.push(text) } };
}

test("a terminal shows a bar that is rewritten, at most ten times a second, and a last line", () => {
  const { written, stream } = recorder(true);
  let time = 0;
  const progress = new DownloadProgress("owner/name", stream, () => time);
  progress.update(500e6, 2e9); // left by an earlier run
  time = 50;
  progress.update(600e6, 2e9);
  time = 10_000;
  progress.update(1e9, 2e9);
  time = 30_000;
  progress.finish(2e9);
  expect(written).toEqual([
    "\r\x1b[2Kowner/name  [#####---------------]  500 MB of 2.0 GB  0 B/s",
    "\r\x1b[2Kowner/name  [##########----------]  1.0 GB of 2.0 GB  50.0 MB/s  20 s left",
    "\r\x1b[2Kowner/name  fetched 1.5 GB in 30 s\n",
  ]);
});

test("a log gets plain lines now and then", () => {
  const { written, stream } = recorder(false);
  let time = 0;
  const progress = new DownloadProgress("owner/name", stream, () => time);
  for (; time <= 25_000; time += 1000) progress.update(time * 1e6, 100e9);
  progress.stop();
  expect(written).toEqual([
    "owner/name  10.0 GB of 100 GB  1.0 GB/s  1 min 30 s left\n",
    "owner/name  20.0 GB of 100 GB  1.0 GB/s  1 min 20 s left\n",
  ]);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [99_940, "99.9 kB"],
  [123_456, "123 kB"],
  [999_999, "1.0 MB"],
  [140e9, "140 GB"],
  [5.5e15, "5500 TB"],
])("%d bytes are %s", (value, text) => expect(bytes(value)).toBe(text));
