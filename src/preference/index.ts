export { type Batch, type Row, collate } from "./batch";
export { completionLogProbs, sequenceLogProbs } from "./logProbs";
export * from "./losses";
