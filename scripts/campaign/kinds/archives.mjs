/** Damaged archives of libtorch: `setup` must unpack them right, or refuse; nothing may land outside its folder. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replace } from "../folders.mjs";
import { unclear } from "../judge.mjs";
import { mutateBytes, withInteger } from "../mutate.mjs";
import { product, wrong } from "../product.mjs";

const FILES = {
  "lib/libtorch_cpu.so": "\u007fELF cpu".repeat(40),
  "lib/libc10.so": "\u007fELF c10".repeat(300),
  "include/ATen/ATen.h": "#pragma once\n",
  "build-version": "2.13.0\n",
};

export default {
  name: "setup archives",
  share: 1,
  batch: 100,
  minimum: 1000,
  async open({ folder }) {
    const source = join(folder, "source");
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(join(source, "libtorch", name, ".."), { recursive: true });
      writeFileSync(join(source, "libtorch", name), text);
    }
    const archives = [];
    for (const [i, options] of [["-rq"], ["-rqD"], ["-rq0"]].entries()) {
      const file = join(folder, `libtorch-${i}.zip`);
      execFileSync("zip", [...options, file, "libtorch"], { cwd: source });
      archives.push(readFileSync(file));
    }
    return { archives };
  },
  async make(random, folder, { archives }) {
    const content = random.of(archives);
    const edit = random.weighted([
      [5, "bytes"],
      [2, "directory"],
      [2, "names"],
      [1, "none"],
    ]);
    let [bytes, note] = [content, edit];
    const directory = content.readUInt32LE(content.lastIndexOf("PK\u0005\u0006", undefined, "latin1") + 16);
    if (edit === "bytes") ({ bytes, note } = mutateBytes(random, content));
    else if (edit === "directory") bytes = withInteger(random, content, random.integer(directory, content.length - 8));
    else if (edit === "names") {
      const text = content.toString("latin1");
      const [from, to] = random.of([
        ["libtorch/lib/libc10.so", "libtorch/lib/../../x.so"],
        ["libtorch/build-version", "/tmp/xxxxxxxxxx/escaped"],
        ["libtorch/include/ATen/ATen.h", "libtorch/include/../../../x"],
        ["libtorch/lib/libc10.so", "libtorch/lib/libtorch.so/"],
      ]);
      bytes = Buffer.from(text.replaceAll(from, to.padEnd(from.length, "x").slice(0, from.length)), "latin1");
      note = `${from} is ${to}`;
    }
    const file = join(folder, "libtorch.zip");
    replace(file, bytes);
    const target = join(folder, "a", "b", "out");
    mkdirSync(target, { recursive: true });
    return {
      note,
      exact: edit === "none",
      run: async () => {
        await product("native/setup/unpack.js").unpackLibtorch(file, target);
        if (readdirSync(join(folder, "a")).length + readdirSync(join(folder, "a", "b")).length > 2)
          return wrong("a file outside the folder");
        if (edit === "none")
          for (const [name, text] of Object.entries(FILES))
            if (!existsSync(join(target, name)) || readFileSync(join(target, name), "utf8") !== text)
              return wrong(`${name} is not what was packed`);
        for (const entry of readdirSync(target, { recursive: true, withFileTypes: true }))
          if (
            entry.isFile() &&
            !Object.values(FILES).includes(readFileSync(join(entry.parentPath ?? entry.path, entry.name), "utf8"))
          )
            return wrong(`${entry.name} holds what was never packed`);
      },
    };
  },
  judge(error, made) {
    if (made.exact) return wrong(`a whole archive was refused: ${error.message}`);
    const why = error instanceof Error ? unclear(error.message) : "not an Error";
    return why && { type: "unclear", text: `${why}: ${String(error?.stack ?? error).slice(0, 400)}` };
  },
};
