/** Appends BYTES bytes to FILE: what the system says, and the file's size. */
import { statSync } from "node:fs";
import { appendWhole } from "../../../src/base/files/wholeFiles";
import { report } from "../../setup/report";

const [file, bytes] = process.argv.slice(2) as [string, string];
let code: string | undefined;
try {
  appendWhole(file, Buffer.alloc(Number(bytes), "x"));
} catch (error) {
  ({ code } = error as NodeJS.ErrnoException);
}
report({ code, size: statSync(file).size });
