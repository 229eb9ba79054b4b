import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One process per file: each loads libtorch for itself, and a crash in one names the file.
    pool: "forks",
    globalSetup: "test/temporaryFolder.ts",
    env: { OMP_NUM_THREADS: "1" }, // the files share the cores
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
