import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { TensorBoardWriter } from "../../src/train/observers/tensorboard";

const root = mkdtempSync(join(tmpdir(), "smaug-events-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("writes the bytes that TensorBoard's own record writer writes", () => {
  const writer = new TensorBoardWriter(join(root, "runs"), () => 1700000000123);
  writer.add(1, { "train/loss": 0.6931, "train/rewards/chosen": -1.5 }, 1700000001000);
  writer.add(300, { "train/loss": 0.5 }, 1700000002000);
  writer.flush();
  expect(basename(writer.file)).toMatch(/^events\.out\.tfevents\.1700000000\./);
  // tensorboard.summary.writer.record_writer.RecordWriter on the same three events
  expect(readFileSync(writer.file).toString("base64")).toBe(
    "GAAAAAAAAACjf0siCTvfB0D8VNlBGg1icmFpbi5FdmVudDoyBmdLbj0AAAAAAAAAYEnx7AkAAEBA/FTZQRABKjAKEQoKdHJhaW4vbG9zcxUAbzE/" +
      "ChsKFHRyYWluL3Jld2FyZHMvY2hvc2VuFQAAwL+Cc1QSIQAAAAAAAAABe+z2CQAAgED8VNlBEKwCKhMKEQoKdHJhaW4vbG9zcxUAAAA/CxmLXg==",
  );
});
