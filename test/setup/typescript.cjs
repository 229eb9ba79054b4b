/**
 * `node --require test/setup/typescript.cjs program.ts`: lets Node run TypeScript without compiling the package first.
 * For programs that vitest cannot host: ones that may abort, measure their own memory, or start worker threads (which
 * inherit the option).
 */
const { readFileSync } = require("node:fs");
const { ModuleKind, ScriptTarget, transpileModule } = require("typescript");

require.extensions[".ts"] = (module, fileName) => {
  const { outputText } = transpileModule(readFileSync(fileName, "utf8"), {
    fileName,
    compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, esModuleInterop: true, inlineSourceMap: true },
  });
  module._compile(outputText, fileName);
};
