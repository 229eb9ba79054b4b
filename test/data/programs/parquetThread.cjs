// Parquet decoded in a thread: what comes of whole files and of damaged ones, one after the other in one process.
// Runs the compiled package; arguments: the package's folder, a folder of fixtures, the looping file, a named pipe, and
// where a damaged file may be written.
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , root, fixtures, looping, pipe, broken] = process.argv;
const { readParquet } = require(join(root, "dist/data/reading/parquet.js"));

async function countRows(file, patience) {
  let count = 0;
  for await (const records of readParquet(file, { required: [] }, patience)) for (const _ of records) count++;
  return count;
}

async function main() {
  let unheard = 0;
  process.on("unhandledRejection", () => unheard++);
  const failures = [];
  const failing = async (file, patience) => {
    failures.push(
      await countRows(file, patience).then(
        () => "none",
        ({ name, message }) => `${name}: ${message}`,
      ),
    );
  };
  const whole = (name) => join(fixtures, `${name}.parquet`);

  const rows = [await countRows(whole("plain.zstd")), await countRows(whole("chat"))];
  const bytes = readFileSync(whole("chat"));
  for (let at = 20; at < 420; at += 10) bytes[at] = 0xff; // in the pages of several columns
  writeFileSync(broken, bytes);
  await failing(broken);
  rows.push(await countRows(whole("plain.gzip")));
  await failing(pipe);
  await failing(looping, 5);
  rows.push(await countRows(whole("plain.none")));
  process.stdout.write(JSON.stringify({ rows, failures, unheard }));
}

void main();
