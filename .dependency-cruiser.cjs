/** The layers of src/, lowest first: a folder may import from those before it, never from those after it. */
const LAYERS = [
  "base",
  "jinja",
  "native",
  "torch",
  "nn",
  "optim",
  "hub",
  "models",
  "text",
  "generate",
  "data",
  "preference",
  "train",
  "evaluate",
  "report",
  "paper",
  "cli",
];

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-circle",
      comment: "Files import each other in a circle. Move what they share into a file of its own.",
      severity: "error",
      from: { path: "^src/([^/]+)/" },
      to: { circular: true, viaOnly: { path: "^src/$1/" } }, // a circle through two folders breaks the order of layers
    },
    ...LAYERS.slice(0, -1).map((layer, i) => ({
      name: `layer-${layer}`,
      comment: `src/${layer} may import from ${LAYERS.slice(0, i).join(", ") || "no other folder"}.`,
      severity: "error",
      from: { path: `^src/${layer}/` },
      to: { path: "^src/", pathNot: `^src/(${LAYERS.slice(0, i + 1).join("|")})/` },
    })),
    {
      name: "known-layer",
      comment: "A file is in no folder, or in one that is not among LAYERS of .dependency-cruiser.cjs and docs/architecture.md.",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(index\\.ts$|(${LAYERS.join("|")})/)` },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^node:" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
