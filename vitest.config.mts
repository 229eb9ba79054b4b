import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One process per file: each loads libtorch for itself, and a crash in one names the file.
    pool: "forks",
    maxWorkers: Math.max(2, availableParallelism() - 1), // many files wait for programs that they start
    globalSetup: "test/temporaryFolder.ts",
    // The files share the cores; commands to paste are those of a user without npx.
    env: { OMP_NUM_THREADS: "1", npm_command: "" },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
