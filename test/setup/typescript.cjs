/**
 * `node --require test/setup/typescript.cjs program.ts`: lets Node run TypeScript without compiling the package first.
 * For programs that vitest cannot host: ones that may abort, measure their own memory, or start worker threads (which
 * inherit the option). What has been compiled once is kept, by content: the compiler takes longer than most programs.
 */
const { createHash } = require("node:crypto");
const Module = require("node:module");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { threadId } = require("node:worker_threads");

const cache = join(__dirname, "../../node_modules/.cache/smaug-programs");

// What is imported lazily is written as what it will be when compiled.
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  const source = /^\.{1,2}\/.*\.js$/.test(request) ? request.slice(0, -".js".length) : request;
  return resolveFilename.call(this, source, ...rest);
};

require.extensions[".ts"] = (module, fileName) => module._compile(compiled(fileName), fileName);

function compiled(fileName) {
  const source = readFileSync(fileName, "utf8");
  const kept = join(cache, `${createHash("sha256").update(`${fileName}\0${source}`).digest("hex")}.js`);
  try {
    return readFileSync(kept, "utf8");
  } catch {
    const output = compile(source, fileName);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${kept}.${process.pid}.${threadId}`, output);
    renameSync(`${kept}.${process.pid}.${threadId}`, kept);
    return output;
  }
}

function compile(source, fileName) {
  const { ModuleKind, ScriptTarget, transpileModule } = require("typescript");
  const compilerOptions = {
    module: ModuleKind.CommonJS,
    target: ScriptTarget.ES2022,
    esModuleInterop: true,
    inlineSourceMap: true,
  };
  return transpileModule(source, { fileName, compilerOptions }).outputText;
}
